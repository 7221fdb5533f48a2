"""What a charge writes, to the last column, and what it neither writes nor asks for."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.hot_path.bulk import record_events
from quota.hot_path.catalog import windows_around
from quota.hot_path.charges import HeldParts
from quota.hot_path.events import ReportedEvent
from quota.models import CreditGrant, CreditLedgerEntry, CreditMonth, RateCard, UsageBucket, UsageEvent
from quota.services.credits import freeze_lot
from quota.windows import Limit, Policy, Rule
from teams.models import Team
from teams.services.keys import revoke_keys
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    give_credits,
    make_desk,
    make_gateway,
    make_member,
    make_scene,
    make_team,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, windows_after

EAST = timezone(timedelta(hours=14))


def parts(event: UsageEvent) -> tuple[int, int, int]:
    """Nano-dollars of quota, of Credits and of overrun."""
    return event.from_quota_nanousd, event.from_credits_nanousd, event.overrun_nanousd


def lots(team: Team) -> list[int]:
    """What is left of the Team's lots, the soonest-expiring first."""
    of_team = CreditGrant.objects.filter(team=team).order_by("expires_at", "id")
    return list(of_team.values_list("remaining_nanousd", flat=True))


@pytest.mark.parametrize(
    ("amount", "quota", "credits"), [(0, 5, 3), (4, 1, 3), (5, 0, 3), (7, 0, 1), (8, 0, 0), (9, 0, 0)]
)
def test_a_draw_leaves_of_a_hold_what_it_does_not_take_quota_first(
    amount: int, quota: int, credits: int
) -> None:
    held = HeldParts(quota=5, credits=3, lots_at=T0, alone=True)
    assert held.without(amount) == HeldParts(quota=quota, credits=credits, lots_at=T0, alone=True)


@pytest.mark.django_db
def test_a_charge_says_all_about_its_call(scene: Scene) -> None:
    held = scene.desk.ask(2, agent="writer")
    gateway = make_gateway()
    sent = ReportedEvent(
        "e1", scene.desk.key, "penny", {"calls": 1}, T0 + SECOND, "writer", held.reservation_id, ("t",)
    )
    record_events(gateway=gateway, events=[sent], at=T0 + MINUTE)
    (row,) = UsageEvent.objects.values()
    written: dict[str, Any] = {**row}
    del written["windows"]
    assert [[(w.used, w.held) for w in of] for of in windows_around(UsageEvent.objects.get())] == [
        [(0, 2 * PENNY)] * 2,
        [(PENNY, 0)] * 2,
    ]
    assert isinstance(written.pop("usage_hash"), UUID)
    assert written.pop("id")
    assert written == {
        "gateway_id": gateway.pk,
        "external_id": "e1",
        "reservation_id": held.reservation_id,
        "draw_id": "",
        "team_id": scene.team.pk,
        "membership_id": scene.owner.pk,
        "key_id": scene.owner.keys.get().pk,
        "api_key_id": None,
        "api_text_id": None,
        "seat_id": scene.seat.pk,
        "plan_id": scene.plan.pk,
        "model": "penny",
        "modality": "language",
        "agent": "writer",
        "tags": ["t"],
        "usage": {"calls": 1},
        "estimated": False,
        "rate_card_id": RateCard.objects.get().pk,
        "unpriced": False,
        "amount_nanousd": PENNY,
        "from_quota_nanousd": PENNY,
        "from_credits_nanousd": 0,
        "from_balance_nanousd": 0,
        "overrun_nanousd": 0,
        "first_use_starts": {},
        "occurred_at": T0,
        "recorded_at": T0 + MINUTE,
        "corrects_id": None,
        "is_undo": False,
    }


@pytest.mark.django_db
def test_a_call_without_a_hold_is_written_with_all_that_was_reported(scene: Scene) -> None:
    rows = [
        ReportedEvent("bare", scene.desk.key, "penny", {"calls": 1}, T0),
        ReportedEvent(
            "full", scene.desk.key, "nano", {"calls": 5, "songs": 1}, T0 + SECOND, "a", tags=("t",)
        ),
    ]
    record_events(gateway=scene.desk.gateway, events=rows, at=T0 + MINUTE)
    names = ("external_id", "model", "agent", "tags", "estimated", "unpriced", "amount_nanousd")
    written = UsageEvent.objects.order_by("occurred_at").values_list(*names)
    assert list(written) == [
        ("bare", "penny", "", [], False, False, PENNY),
        ("full", "nano", "a", ["t"], False, True, 5),
    ]
    of_all = ("gateway", "reservation", "draw_id", "team", "membership", "key", "seat", "plan", "recorded_at")
    owner = scene.owner
    assert set(UsageEvent.objects.values_list(*of_all)) == {
        (
            *(scene.desk.gateway.pk, None, "", scene.team.pk, owner.pk, owner.keys.get().pk),
            *(scene.seat.pk, scene.plan.pk, T0 + MINUTE),
        )
    }


@pytest.mark.django_db
def test_usage_that_costs_nothing_is_in_no_bucket_and_no_month() -> None:
    first_use = Rule(Policy.FIRST_USE, 3600)
    scene = make_scene([Limit("hour", first_use, USD), Limit("other", Rule(Policy.ROLLING, 3600), USD)])
    row = ReportedEvent("free", scene.desk.key, "penny", {"calls": 0}, T0)
    record_events(gateway=scene.desk.gateway, events=[row], at=T0)
    assert UsageEvent.objects.get().first_use_starts == {}
    assert not UsageBucket.objects.exists()
    scene.desk.use(1)
    paid = UsageEvent.objects.get(amount_nanousd=PENNY)
    assert paid.first_use_starts == {first_use.key: T0.isoformat()}
    assert UsageBucket.objects.filter(used_nanousd=PENNY).count() == 2
    assert (CreditMonth.objects.count(), CreditLedgerEntry.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_overrun_counts_in_the_windows_as_quota_does(scene: Scene) -> None:
    scene.desk.use(980)
    event = scene.desk.settle(scene.desk.ask(5), 20)
    assert parts(event) == (10 * PENNY, 0, 10 * PENNY)
    assert [window.used for window in windows_after(event)] == [1000 * PENNY] * 2
    buckets = UsageBucket.objects.filter(seat=scene.seat).values_list("used_nanousd", flat=True)
    assert list(buckets) == [1000 * PENNY] * 2


@pytest.mark.django_db
def test_the_last_nano_dollar_that_nobody_pays_is_overrun(scene: Scene) -> None:
    scene.desk.use(990)
    row = ReportedEvent("one", scene.desk.key, "nano", {"calls": 1}, T0)
    record_events(gateway=scene.desk.gateway, events=[row], at=T0)
    assert parts(UsageEvent.objects.get(external_id="one")) == (0, 0, 1)


@pytest.mark.django_db
def test_the_credits_of_another_team_pay_nothing_though_they_expire_sooner(scene: Scene) -> None:
    other = make_team()
    give_credits(other, 7 * PENNY, expires_at=T0 + HOUR)
    give_credits(scene.team, 5 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    assert parts(desk.use(2)) == (0, 2 * PENNY, 0)
    assert (lots(scene.team), lots(other)) == ([3 * PENNY], [7 * PENNY])
    held = desk.ask(3)
    freeze_lot(lot=CreditGrant.objects.get(team=scene.team), frozen=True, at=T0, by=None)
    assert parts(desk.settle(held, 3)) == (0, 0, 3 * PENNY)
    assert lots(other) == [7 * PENNY]


@pytest.mark.django_db
def test_beyond_its_hold_too_a_call_draws_on_the_lots_that_lived_at_its_authorize(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + MINUTE)
    desk = make_desk(make_member(scene.team, credits=True))
    held = desk.ask(3)
    assert parts(desk.settle(held, 5, at=T0 + 5 * MINUTE)) == (0, 5 * PENNY, 0)


@pytest.mark.django_db
def test_a_lease_whose_key_has_gone_draws_nothing_on_a_frozen_lot(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY)
    member = make_member(scene.team, credits=True)
    desk = make_desk(member)
    held = desk.lease(5 * PENNY)
    freeze_lot(lot=CreditGrant.objects.get(), frozen=True, at=T0, by=None)
    revoke_keys(membership=member, at=T0, by=None)
    assert parts(desk.draw(held, 5).event) == (0, 0, 5 * PENNY)


@pytest.mark.django_db
def test_credits_are_asked_for_only_where_the_windows_have_no_room(scene: Scene) -> None:
    give_credits(scene.team, 3 * PENNY)

    def asked(calls: int) -> list[str]:
        held = scene.desk.ask(calls)
        with CaptureQueriesContext(connection) as queries:
            scene.desk.settle(held, calls)
        return [name for query in queries for name in ("quota_usable_credits", "SUM") if name in query["sql"]]

    assert asked(990) == []
    # What the member may use is enough, to the last nano-dollar, so what the lots hold need not be summed. A
    # batch need not ask for that.
    assert asked(3) in (["quota_usable_credits"], [])


@pytest.mark.django_db
def test_a_month_is_summed_by_member_and_begins_in_utc(scene: Scene) -> None:
    give_credits(scene.team, USD)
    one, two = (make_member(scene.team, credits=True) for _ in range(2))
    for member in (one, two):
        make_desk(member).use(1)
    july = T0.replace(month=7, day=1, hour=0)
    # Where the gateway stands it is July already.
    row = ReportedEvent("e", make_desk(one).key, "penny", {"calls": 2}, (july - 3 * HOUR).astimezone(EAST))
    record_events(gateway=scene.desk.gateway, events=[row], at=july)
    make_desk(one).use(4, at=july)
    months = CreditMonth.objects.order_by("month", "membership").values_list("membership", "used_nanousd")
    assert list(months) == [(one.pk, 3 * PENNY), (two.pk, PENNY), (one.pk, 4 * PENNY)]
