"""The check of meters against events: silent whatever the services did, loud about each kind of drift."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.hot_path.settle import release
from quota.models import CreditGrant, CreditLedgerEntry, Reservation, UsageEvent
from quota.selectors.reconcile import differences
from quota.services.credits import adjust_lot, expire_lots, freeze_lot
from quota.services.entitlements import entitle_seat
from quota.services.reservations import expire_reservations
from quota.windows import Limit, Policy, Rule
from tests.helpers import citus
from tests.helpers.cases import many
from tests.helpers.drift import named, plant
from tests.helpers.factories import (
    MONDAY,
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_plan,
    make_scene,
)
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db

CENT = USD // 100


def scene_with_charges() -> Scene:
    """Quota, Credits and overrun were all charged, and one call is under way."""
    scene = make_scene(limits(10 * CENT, 100 * CENT))
    give_credits(scene.team, USD)
    allow_credits(scene.owner)
    scene.desk.use(15)
    scene.desk.ask(3)
    return scene


def found() -> list[str]:
    return [str(difference) for difference in differences(T0 + timedelta(minutes=5))]


@pytest.mark.parametrize("seed", many(range(6)))
def test_whatever_the_services_did_nothing_differs(seed: int) -> None:
    chance = random.Random(seed)
    scene = make_scene(limits(40 * CENT, 300 * CENT))
    give_credits(scene.team, 2 * USD, expires_at=T0 + timedelta(days=3))
    give_credits(scene.team, 1 * USD)
    allow_credits(scene.owner, month_cap=150 * CENT)
    sessions = make_plan(
        "ultra",
        [
            Limit("session", Rule(Policy.FIRST_USE, 7200), 60 * CENT),
            Limit("day", Rule(Policy.ROLLING, 86_400), 5 * USD),
            *limits(USD, 9 * USD),
        ],
    )
    at = T0
    open_calls = []
    for step in range(90):
        at += timedelta(seconds=chance.choice([0, 1, 40, 700, 5000, 20_000]))
        try:
            match chance.randrange(8):
                case 0 | 1 | 2:
                    open_calls.append(scene.desk.ask(chance.randrange(12), at=at))
                case 3 | 4 if open_calls:
                    call = open_calls.pop(chance.randrange(len(open_calls)))
                    scene.desk.settle(call, chance.randrange(15), at=at)
                case 5 if open_calls:
                    call = open_calls.pop()
                    release(reservation_id=call.reservation_id, at=at)
                case 6:
                    late = max(T0, at - timedelta(seconds=chance.randrange(0, 7 * 86400)))
                    usage = {"calls": chance.randrange(9)}
                    event = ReportedEvent(f"e{step}", scene.desk.key, "penny", usage, late)
                    record_events(gateway=scene.desk.gateway, events=[event], at=at)
                case _:
                    expire_reservations(at=at)
                    expire_lots(at=at)
        except Refusal:
            pass
        if step == 35:
            entitle(scene, sessions, at)
    assert UsageEvent.objects.count() > 15
    assert list(differences(at)) == []


def entitle(scene: Scene, plan: object, at: datetime) -> None:
    entitle_seat(seat=scene.seat, plan=plan, starts_at=at, ends_at=None, source="change", at=at, by=None)  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_a_quiet_installation_agrees() -> None:
    scene_with_charges()
    assert found() == []
    call_command("reconcile")


def test_a_bucket_that_was_changed_is_found() -> None:
    scene = scene_with_charges()
    plant("UPDATE quota_usagebucket SET used_nanousd = used_nanousd + 1 WHERE rule LIKE 'rolling/%%'")
    assert found() == [
        f"usage bucket of {named(scene.seat)}, rolling/18000, from 2026-06-03T10:00:00+00:00: "
        "100000000 expected, 100000001 found"
    ]


def test_a_bucket_that_was_lost_is_found() -> None:
    scene = scene_with_charges()
    plant("DELETE FROM quota_usagebucket WHERE rule LIKE 'fixed/%%'")
    assert found() == [
        f"usage bucket of {named(scene.seat)}, fixed/604800@345600, from 2026-06-01T00:00:00+00:00: "
        "100000000 expected, 0 found"
    ]


def test_a_bucket_of_nothing_is_found() -> None:
    scene = scene_with_charges()
    plant(
        "INSERT INTO quota_usagebucket (team_id, seat_id, rule, starts_at, used_nanousd) "
        "VALUES (%s, %s, 'rolling/18000', %s, 7)",
        scene.team.pk,
        scene.seat.pk,
        MONDAY,
    )
    assert found() == [
        f"usage bucket of {named(scene.seat)}, rolling/18000, from 2026-01-05T00:00:00+00:00: "
        "0 expected, 7 found"
    ]


def test_a_first_use_bucket_that_was_changed_is_found() -> None:
    scene = make_scene([Limit("session", Rule(Policy.FIRST_USE, 7200), USD)])
    scene.desk.use(5)
    assert found() == []
    plant("UPDATE quota_usagebucket SET starts_at = %s", T0 + timedelta(seconds=1))
    about = f"usage bucket of {named(scene.seat)}, first_use/7200, from 2026-06-03T10:02"
    assert found() == [
        f"{about}:00+00:00: 50000000 expected, 0 found",
        f"{about}:01+00:00: 0 expected, 50000000 found",
    ]


def test_an_event_that_was_changed_is_found_wherever_it_counts() -> None:
    scene_with_charges()
    plant(
        "UPDATE quota_usageevent SET from_quota_nanousd = from_quota_nanousd - 1, "
        "from_credits_nanousd = from_credits_nanousd + 1"
    )
    assert [line.split(" ")[0] for line in found()] == [
        "usage",
        "usage",
        "Credits",
        "Credits",
        "5h",
        "week",
        "Credits",
    ]


def test_a_lot_that_was_changed_is_found() -> None:
    scene_with_charges()
    plant("UPDATE quota_creditgrant SET remaining_nanousd = remaining_nanousd - 5")
    lot = CreditGrant.objects.get()
    assert found() == [f"Credits left in {named(lot)}: 950000000 expected, 949999995 found"]


def test_a_ledger_entry_that_was_lost_is_found_in_the_lot_and_in_the_event() -> None:
    scene_with_charges()
    plant("DELETE FROM quota_creditledgerentry WHERE kind = 'use'")
    lot, event = CreditGrant.objects.get(), UsageEvent.objects.get()
    assert found() == [
        f"Credits left in {named(lot)}: 1000000000 expected, 950000000 found",
        f"Credits used by event {event.pk}, in the ledger: 50000000 expected, 0 found",
    ]


def test_a_months_sum_that_was_changed_is_found() -> None:
    scene = scene_with_charges()
    plant("UPDATE quota_creditmonth SET used_nanousd = 1")
    assert found() == [f"Credits used by {named(scene.owner)} in 2026-06: 50000000 expected, 1 found"]


def test_a_settled_reservation_without_its_event_is_found() -> None:
    scene_with_charges()
    plant("UPDATE quota_reservation SET state = 'settled' WHERE state = 'held'")
    settled = list(UsageEvent.objects.values_list("reservation", flat=True))
    lost = Reservation.objects.exclude(pk__in=settled).get()
    about = f"state of reservation {lost.pk}"
    assert found() == [f"{about}: an event, since it is settled, expected, none found"]


def test_an_event_whose_reservation_says_otherwise_is_found() -> None:
    scene_with_charges()
    plant("UPDATE quota_reservation SET state = 'released' WHERE state = 'settled'")
    settled = list(UsageEvent.objects.values_list("reservation", flat=True))
    charged = Reservation.objects.get(pk__in=settled)
    about = f"state of reservation {charged.pk}"
    assert found() == [f"{about}: settled, since it has the event that settles it, expected, released found"]


def test_holds_beyond_the_lots_are_found() -> None:
    scene = scene_with_charges()
    plant(
        "UPDATE quota_reservation SET from_credits_nanousd = 2000000000, estimate_nanousd = 2000000000, "
        "left_credits_nanousd = 2000000000 "
        "WHERE state = 'held'"
    )
    about = f"Credits held in Team {scene.team.slug}"
    assert found() == [f"{about}: at most 950000000 expected, 2000000000 found"]


def test_holds_on_a_lot_that_was_taken_back_or_frozen_meanwhile_are_no_difference() -> None:
    scene = scene_with_charges()
    assert scene.desk.ask(90).from_credits_nanousd == 90 * CENT
    lot = CreditGrant.objects.get()
    kind = CreditLedgerEntry.Kind.REFUND
    adjust_lot(lot=lot, nanousd=-lot.remaining_nanousd, kind=kind, cause="refund", at=T0, by=None)
    assert found() == []
    freeze_lot(lot=lot, frozen=True, at=T0, by=None)
    assert found() == []


def test_a_member_without_a_current_key_is_found() -> None:
    scene = scene_with_charges()
    plant(
        "UPDATE teams_subscriptionkey SET replaced_at = created_at, expires_at = created_at "
        "WHERE membership_id = %s",
        scene.owner.pk,
    )
    assert found() == [f"current key of {named(scene.owner)}: one expected, none found"]


@pytest.mark.django_db(transaction=True)
def test_the_command_prints_every_difference_and_fails() -> None:
    scene_with_charges()
    plant("UPDATE quota_creditmonth SET used_nanousd = 1")
    plant("UPDATE quota_creditgrant SET remaining_nanousd = remaining_nanousd - 5")
    with pytest.raises(CommandError, match="2 differences") as refused:
        call_command("reconcile")
    assert refused.value.returncode == 1


@pytest.mark.parametrize(
    "column",
    ["membership_id", "key_id", "seat_id", "plan_id", "gateway_id", "rate_card_id", "team_id"],
)
def test_a_call_of_what_is_not_there_is_reported(column: str) -> None:
    scene = scene_with_charges()
    held = Reservation.objects.get(state="held")
    if column == "team_id" and citus.is_named():
        pytest.skip(citus.TEAM_STAYS)
    plant(f"UPDATE quota_reservation SET {column} = 99999999 WHERE id = '{held.pk}'")
    assert (
        f"what reservation {held.pk} is of: rows of its Team expected, none, or rows of another found"
        in found()
    )
    event = UsageEvent.objects.get()
    plant(f"UPDATE quota_usageevent SET {column} = 99999999")
    assert (
        f"what usage event {event.pk} is of: rows of its Team expected, none, or rows of another found"
        in found()
    )
    assert scene.team.pk


def test_a_call_of_another_teams_rows_is_reported() -> None:
    scene, other = scene_with_charges(), make_scene()
    held = Reservation.objects.get(state="held")
    for column, theirs in (
        ("membership_id", other.owner.pk),
        ("seat_id", other.seat.pk),
        ("key_id", other.owner.keys.get().pk),
    ):
        before = getattr(held, column)
        plant(f"UPDATE quota_reservation SET {column} = {theirs} WHERE id = '{held.pk}'")
        assert any(f"what reservation {held.pk} is of" in line for line in found()), column
        plant(f"UPDATE quota_reservation SET {column} = {before} WHERE id = '{held.pk}'")
    assert not found()
    assert scene.team.pk
