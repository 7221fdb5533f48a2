"""What is wrong with a charge, a window of history or a lot is found, though all sums agree with it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest
from django.db import connection

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import ClosedWindow, CreditGrant, CreditLedgerEntry, RateCard, Reservation, UsageEvent
from quota.selectors.reconcile import differences
from quota.services import windows_history
from quota.services.corrections import correct_charge
from quota.services.reservations import charge_lapsed_holds
from quota.services.windows_history import close_windows
from quota.stored_windows import kept_of
from quota.windows import Limit, Policy, Rule
from tests.helpers.drift import named, plant
from tests.helpers.factories import (
    FIVE_HOURS,
    T0,
    USD,
    WEEK,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import charging, windows_after, windows_before
from tokenplan.kit.clock import Turn

pytestmark = pytest.mark.django_db

CENT = USD // 100
FIRST_USE = Rule(Policy.FIRST_USE, 5 * 3600)
HOUR = timedelta(hours=1)
NEXT_WEEK = T0 + timedelta(days=8)
EVERY_POLICY = pytest.mark.parametrize(
    "rule", [FIVE_HOURS, WEEK, FIRST_USE], ids=["rolling", "fixed", "first use"]
)


def found(at: datetime = T0 + HOUR) -> list[str]:
    return [str(difference) for difference in differences(at)]


def report(scene: Scene, usage: dict[str, int], *, model: str = "penny", at: datetime = T0) -> UsageEvent:
    """A call that was made without asking."""
    id = f"e{UsageEvent.objects.count()}"
    event = ReportedEvent(id, scene.desk.key, model, usage, at)
    (result,) = record_events(gateway=scene.desk.gateway, events=[event], at=at)
    assert result.is_new
    return UsageEvent.objects.get(external_id=id)


def test_a_charge_of_a_hundred_times_the_price_is_found_though_every_sum_agrees_with_it() -> None:
    scene = make_scene(limits(100 * USD, 1000 * USD))
    event = scene.desk.use(5)
    assert found() == []
    plant(
        "UPDATE quota_usageevent SET amount_nanousd = 100 * amount_nanousd, "
        "from_quota_nanousd = 100 * from_quota_nanousd, windows = %s",
        packed_with(event, used_after=100 * event.amount_nanousd),
    )
    for policy in ("rolling", "fixed"):
        plant(f"UPDATE quota_usagebucket SET used_nanousd = 100 * used_nanousd WHERE rule LIKE '{policy}/%%'")
    assert found() == [f"amount of event {event.pk}: 50000000 expected, 5000000000 found"]


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("reported", [True, False])
def test_a_rate_card_that_is_not_that_of_the_hold_is_found(reported: bool, is_there: bool) -> None:
    scene = make_scene()
    charging(scene)
    if reported:
        scene.desk.use(5)
    else:
        scene.desk.ask(5)
        assert charge_lapsed_holds(at=T0 + HOUR) == 1
    event, card = UsageEvent.objects.get(), RateCard.objects.get()
    later = RateCard.objects.create(effective_from=T0 + HOUR, source_sha256="another", loaded_at=T0)
    assert found() == []
    another = later.pk if is_there else later.pk + 1
    plant("UPDATE quota_usageevent SET rate_card_id = %s", another)
    missing = f"what usage event {event.pk} is of: rows of its Team expected, none, or rows of another found"
    other = f"rate card of event {event.pk}: {card.pk} expected, {another} found"
    assert found() == ([other] if is_there else [missing, other])


def test_the_tier_counts_all_input_and_the_cache_without_a_price_is_input() -> None:
    scene = make_scene()
    usage = {"input_tokens": 600_000, "cache_read_tokens": 1, "cache_write_tokens": 3, "output_tokens": 7}
    event = report(scene, usage, model="talker")
    assert event.amount_nanousd == 360_000_000 + 120 + 3 * 600 + 7 * 2400
    assert found() == []
    plant("UPDATE quota_usageevent SET usage = jsonb_set(usage, '{input_tokens}', '511996')")
    assert found() == [f"amount of event {event.pk}: 153608160 expected, 360018720 found"]


def test_a_model_that_is_not_on_the_card_and_usage_without_a_price_are_found() -> None:
    scene = make_scene()
    event = scene.desk.use(1)
    card = Reservation.objects.get().rate_card_id
    plant("UPDATE quota_usageevent SET unpriced = true")
    assert found() == [f"whether all of event {event.pk} has a price: True expected, False found"]
    plant("UPDATE quota_usageevent SET unpriced = false, model = 'gone'")
    assert found() == [f"model of event {event.pk}: one of rate card {card} expected, gone found"]


def test_a_charge_to_another_members_seat_is_found() -> None:
    scene = make_scene()
    other = make_member(scene.team)
    seat = make_seat(scene.team, scene.plan, holder=other)
    asked, reported = scene.desk.use(1), report(scene, {"calls": 1})
    plant("UPDATE quota_usageevent SET seat_id = %s WHERE id = %s", seat.pk, str(asked.pk))
    assert f"seat of event {asked.pk}: {named(scene.seat)} expected, {named(seat)} found" in found()
    plant("UPDATE quota_usageevent SET seat_id = %s WHERE id = %s", scene.seat.pk, str(asked.pk))
    assert found() == []
    plant("UPDATE quota_usageevent SET seat_id = %s WHERE id = %s", seat.pk, str(reported.pk))
    theirs = f"one that its member held then, with its plan expected, {named(seat)} found"
    assert f"seat of event {reported.pk}: {theirs}" in found()
    plant("UPDATE quota_usageevent SET seat_id = %s WHERE id = %s", scene.seat.pk, str(reported.pk))
    plant("UPDATE quota_reservation SET seat_id = %s", seat.pk)
    hold = Reservation.objects.get()
    assert f"seat of reservation {hold.pk}: {theirs}" in found()


def test_a_charge_of_another_member_than_its_hold_is_found() -> None:
    scene = make_scene()
    other = make_member(scene.team)
    event = scene.desk.use(1)
    plant("UPDATE quota_usageevent SET membership_id = %s, key_id = %s", other.pk, other.keys.get().pk)
    lines = found()
    assert f"member of event {event.pk}: {named(scene.owner)} expected, {named(other)} found" in lines
    right, wrong = (f"key sk-cp-{member.keys.get().key_id}" for member in (scene.owner, other))
    assert f"key of event {event.pk}: {right} expected, {wrong} found" in lines


def test_a_receipt_whose_windows_do_not_follow_from_the_charge_is_found() -> None:
    scene = make_scene()
    event = scene.desk.use(5)
    of_limit = [f"{name} window after event {event.pk}" for name in ("5h", "week")]
    plant("UPDATE quota_usageevent SET windows = %s", packed_with(event, used_after=5 * CENT + 1))
    assert found() == [f"{window}: 50000000 used expected, 50000001 used found" for window in of_limit]
    plant("UPDATE quota_usageevent SET windows = %s", kept_of(windows_before(event)))
    assert found() == [f"numbers of the windows of event {event.pk}: 20 expected, 10 found"]
    plant("UPDATE quota_usageevent SET windows = %s", bytes([128]))
    assert found() == [f"numbers of the windows of event {event.pk}: 20 expected, something else found"]


def packed_with(event: UsageEvent, *, used_after: int) -> bytes:
    """Its windows, with so much used after it."""
    return kept_of(windows_before(event), [replace(w, used=used_after) for w in windows_after(event)])


@pytest.mark.parametrize("asked", [True, False])
def test_quota_that_paid_beyond_the_room_of_its_windows_is_found(asked: bool) -> None:
    scene = make_scene(limits(5 * CENT, 100 * CENT))
    event = scene.desk.settle(scene.desk.ask(2), 9) if asked else report(scene, {"calls": 9})
    assert (event.from_quota_nanousd, event.overrun_nanousd) == (5 * CENT, 4 * CENT)
    assert found() == []
    plant("UPDATE quota_usageevent SET from_quota_nanousd = amount_nanousd, overrun_nanousd = 0")
    assert found() == [f"quota part of event {event.pk}: at most {5 * CENT} expected, {9 * CENT} found"]


def test_an_undo_of_another_amount_than_the_charge_is_found() -> None:
    scene = make_scene()
    event = scene.desk.use(5)
    undo = correct_charge(event=event, usage=None, reason="x", at=T0 + HOUR, by=None).undo
    assert found() == []
    plant(
        "UPDATE quota_usageevent SET amount_nanousd = -1, from_quota_nanousd = -1 WHERE id = %s", str(undo.pk)
    )
    lines = found()
    assert f"amount undone by event {undo.pk}: -50000000 expected, -1 found" in lines
    assert f"quota part undone by event {undo.pk}: -50000000 expected, -1 found" in lines
    assert f"amount of event {undo.pk}: -50000000 expected, -1 found" in lines


def test_a_ledger_entry_of_another_member_is_found() -> None:
    scene = make_scene(limits(CENT, CENT))
    give_credits(scene.team, USD)
    allow_credits(scene.owner)
    scene.desk.use(5)
    other = make_member(scene.team)
    plant("UPDATE quota_creditledgerentry SET membership_id = %s WHERE kind = 'use'", other.pk)
    entry = CreditLedgerEntry.objects.get(kind="use")
    assert found() == [f"member of {named(entry)}: {named(scene.owner)} expected, {named(other)} found"]


def test_a_lot_that_grew_after_it_was_granted_is_found() -> None:
    scene = make_scene()
    give_credits(scene.team, USD)
    plant("UPDATE quota_creditgrant SET amount_nanousd = amount_nanousd + 1")
    lot = CreditGrant.objects.get()
    assert found() == [f"granted by {named(lot)}, in the ledger: 1000000001 expected, 1000000000 found"]


def test_buckets_of_a_rule_that_the_seat_never_had_are_found() -> None:
    scene = make_scene()
    plant(
        "INSERT INTO quota_usagebucket (team_id, seat_id, rule, starts_at, used_nanousd) "
        "VALUES (%s, %s, 'rolling/7200', %s, 7)",
        scene.team.pk,
        scene.seat.pk,
        T0,
    )
    assert found() == [
        f"usage buckets of {named(scene.seat)}, rolling/7200: none, since no plan of it has the rule, "
        "expected, 1 found"
    ]


def test_history_that_differs_from_the_charges_is_found() -> None:
    scene = make_scene()
    scene.desk.use(5)
    close_windows(at=NEXT_WEEK)
    assert (ClosedWindow.objects.count(), found()) == (2, [])
    plant("UPDATE quota_closedwindow SET used_nanousd = used_nanousd + 1 WHERE name = '5h'")
    tile = f"closed window of {named(scene.seat)}, rolling/18000, from 2026-06-03T07:00:00+00:00"
    assert found() == [f"{tile}: 50000000 expected, 50000001 found"]
    plant("DELETE FROM quota_closedwindow WHERE name = '5h'")
    assert found() == [f"{tile}: 50000000 expected, none found"]


def test_history_of_windows_that_nothing_was_used_in_is_found() -> None:
    scene = make_scene()
    scene.desk.use(5)
    close_windows(at=NEXT_WEEK)
    plant("UPDATE quota_closedwindow SET starts_at = starts_at - interval '5 hours' WHERE name = '5h'")
    about = f"closed window of {named(scene.seat)}, rolling/18000, from 2026-06-03T"
    assert found() == [
        f"{about}02:00:00+00:00: none expected, 50000000 found",
        f"{about}07:00:00+00:00: 50000000 expected, none found",
    ]


def test_history_that_is_not_written_yet_is_no_difference() -> None:
    scene = make_scene()
    scene.desk.use(5)
    assert found(NEXT_WEEK) == []
    close_windows(at=NEXT_WEEK)
    late = ReportedEvent("late", scene.desk.key, "penny", {"calls": 1}, NEXT_WEEK - timedelta(days=6))
    record_events(gateway=scene.desk.gateway, events=[late], at=NEXT_WEEK)
    assert found(NEXT_WEEK) == []
    close_windows(at=NEXT_WEEK + HOUR)
    assert found(NEXT_WEEK + HOUR) == []
    plant("UPDATE quota_closedwindow SET used_nanousd = used_nanousd - 1 WHERE name = 'week'")
    assert len(found(NEXT_WEEK + HOUR)) == 1


@EVERY_POLICY
def test_where_buckets_count_from_is_not_taken_from_the_database_function_that_charges_go_by(
    rule: Rule,
) -> None:
    """With one that begins an hour too late, the charge of that hour is in no bucket."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('quota_counts_from'::regproc)")
        (made,) = cursor.fetchone()
        late = "AS $function$SELECT p_begins_at + make_interval(hours => 1)$function$"
        cursor.execute(re.sub(r"AS \$function\$.*\$function\$", late, made, flags=re.S))
    scene = make_scene([Limit("only", rule, USD)])
    scene.desk.use(5)
    of_buckets = [
        one for one in found() if one.startswith(f"usage bucket of {named(scene.seat)}, {rule.key}")
    ]
    assert [one.rpartition(": ")[2] for one in of_buckets] == ["50000000 expected, 0 found"]


@EVERY_POLICY
def test_an_end_of_a_window_in_history_that_was_changed_is_found(rule: Rule) -> None:
    scene = make_scene([Limit("only", rule, USD)])
    scene.desk.use(5)
    close_windows(at=NEXT_WEEK)
    starts_at, ends_at = ClosedWindow.objects.values_list("starts_at", "ends_at").get()
    plant("UPDATE quota_closedwindow SET ends_at = ends_at + interval '1 s'")
    ends = f"{ends_at.isoformat()} expected, {(ends_at + timedelta(seconds=1)).isoformat()} found"
    about = f"closed window of {named(scene.seat)}, {rule.key}, from {starts_at.isoformat()}"
    assert found() == [f"end of {about}: {ends}"]


@EVERY_POLICY
def test_a_row_of_nothing_in_history_is_found(rule: Rule) -> None:
    scene = make_scene([Limit("only", rule, USD)])
    scene.desk.use(5)
    close_windows(at=NEXT_WEEK)
    plant("UPDATE quota_closedwindow SET starts_at = starts_at - interval '7 days', used_nanousd = 0")
    assert [one.rpartition(": ")[2] for one in found()] == [
        "none expected, 0 found",
        "50000000 expected, none found",
    ]


@EVERY_POLICY
@pytest.mark.parametrize("ran_before", [False, True])
def test_history_of_a_run_that_was_cut_short_is_no_difference(
    rule: Rule, ran_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has written some windows, though no whole run has said so, and has not come to others."""
    scene = make_scene([Limit("only", rule, USD)])
    if ran_before:
        close_windows(at=T0)
    for week in range(3):
        scene.desk.use(5, at=T0 + week * timedelta(days=7))
    monkeypatch.setattr(windows_history, "WINDOWS_PER_TRANSACTION", 1)
    ticks = count()
    later = T0 + timedelta(days=30)
    # It is asked when usage has still to be read, and after each window.
    close_windows(at=later, turn=Turn(2, lambda: float(next(ticks))))
    assert (ClosedWindow.objects.count(), found(later)) == (2, [])
    plant("UPDATE quota_closedwindow SET starts_at = starts_at - interval '1 hour' WHERE starts_at <= %s", T0)
    assert "none expected, 50000000 found" in found(later)[0]
    close_windows(at=later)
    assert ClosedWindow.objects.count() == 4
