"""The sums of a seat's usage: of one rule, of one seat, and from all of its events anew."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.hot_path.buckets import (
    build_buckets,
    first_use_starts,
    open_first_use_windows,
    sum_into_buckets,
)
from quota.hot_path.settle import release
from quota.hot_path.state import NO_SEAT, SeatUsage
from quota.hot_path.undo import undo_charge
from quota.models import KeptCalls, UsageBucket
from quota.selectors.reconcile import differences
from quota.services.corrections import correct_charge
from quota.services.entitlements import entitle_seat
from quota.windows import Bucket, Limit, Policy, Rule
from teams.models import Seat
from tests.helpers.factories import (
    MONDAY,
    T0,
    USD,
    Scene,
    give_credits,
    make_desk,
    make_member,
    make_plan,
    make_seat,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, reported

ROLLING = Rule(Policy.ROLLING, 3600)
FIXED = Rule(Policy.FIXED, 3600, MONDAY)
FIRST_USE = Rule(Policy.FIRST_USE, 3600)
TEN = T0.replace(minute=0)


def kept(rule: Rule, seat: Seat) -> list[tuple[datetime, int]]:
    """The seat's buckets of the rule."""
    buckets = UsageBucket.objects.filter(seat=seat, rule=rule.key).order_by("starts_at")
    return list(buckets.values_list("starts_at", "used_nanousd"))


def bucket(seat: Seat, rule: Rule, start: datetime, used: int) -> None:
    UsageBucket.objects.create(
        team_id=seat.team_id, seat=seat, rule=rule.key, starts_at=start, used_nanousd=used
    )


@pytest.mark.parametrize(
    ("rule", "buckets"),
    [
        (ROLLING, [(TEN + 2 * MINUTE, 3), (TEN + 50 * MINUTE, 4), (TEN + 61 * MINUTE, 8)]),
        (FIXED, [(TEN, 7), (TEN + HOUR, 8)]),
        (FIRST_USE, [(TEN + 2 * MINUTE, 15)]),
    ],
)
def test_usage_in_any_order_is_summed_by_interval(rule: Rule, buckets: list[tuple[datetime, int]]) -> None:
    usage = [(TEN + 61 * MINUTE, 8), (TEN + 50 * MINUTE, 4), (TEN + 2 * MINUTE, 1), (TEN + 2 * MINUTE, 2)]
    assert sum_into_buckets(rule, usage) == [Bucket(start, used) for start, used in buckets]


@pytest.mark.django_db
def test_the_buckets_of_a_new_rule_are_those_of_all_that_counts_in_the_seats_windows(scene: Scene) -> None:
    give_credits(scene.team, PENNY)
    scene.desk.use(1, at=TEN + 10 * MINUTE, model="nano")
    scene.desk.settle(scene.desk.ask(990, at=TEN + HOUR), 992, at=TEN + HOUR)  # one from Credits, one overrun
    scene.desk.settle(scene.desk.ask(0, at=TEN + 2 * HOUR), 0, at=TEN + 2 * HOUR)  # which counts nowhere
    build_buckets(seat=scene.seat, rule=FIXED, begins_at=T0)
    assert kept(FIXED, scene.seat) == [(TEN, 1), (TEN + HOUR, 991 * PENNY)]


@pytest.mark.django_db
def test_what_corrects_a_charge_that_was_dropped_takes_nothing_back(scene: Scene) -> None:
    dropped, kept_one = scene.desk.use(1), scene.desk.use(2)
    for event in (dropped, kept_one):
        undo_charge(event, at=T0, by=None)
    KeptCalls.objects.create(events_from=kept_one.pk)
    build_buckets(seat=scene.seat, rule=FIXED, begins_at=T0)
    # The dropped one is still there in this test: so what corrects it is seen to be left out.
    assert kept(FIXED, scene.seat) == [(TEN, PENNY)]


@pytest.mark.django_db
def test_a_rebuild_replaces_the_buckets_of_its_rule_and_seat_alone(scene: Scene) -> None:
    member = make_member(scene.team)
    seat = make_seat(scene.team, scene.plan, holder=member)
    scene.desk.use(1)
    make_desk(member).use(2)
    for of_seat, rule in ((scene.seat, FIXED), (seat, FIXED), (scene.seat, ROLLING)):
        bucket(of_seat, rule, TEN - HOUR, 5)
    build_buckets(seat=scene.seat, rule=FIXED, begins_at=T0)
    assert kept(FIXED, scene.seat) == [(TEN, PENNY)]
    assert kept(FIXED, seat) == kept(ROLLING, scene.seat) == [(TEN - HOUR, 5)]


@pytest.mark.django_db
def test_a_rebuild_opens_the_windows_that_the_calls_under_way_are_in(scene: Scene) -> None:
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    make_desk(member).ask(1, at=T0 + 5 * HOUR)  # on another seat
    let_go = scene.desk.ask(1, at=T0 + 6 * HOUR)
    release(reservation_id=let_go.reservation_id, at=T0 + 6 * HOUR)
    scene.desk.use(1, at=T0 + 3 * HOUR)
    # Neither in the order in which they were written nor in that of their ends.
    for minutes, seconds in ((40, 900), (0, 7200), (100, 60), (200, 60)):
        scene.desk.lease(PENNY, at=T0 + minutes * MINUTE, seconds=seconds)
    build_buckets(seat=scene.seat, rule=FIRST_USE, begins_at=T0 + HOUR)
    assert kept(FIRST_USE, scene.seat) == [(T0, 0), (T0 + 100 * MINUTE, 0), (T0 + 3 * HOUR, PENNY)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rule", "buckets"),
    [
        (ROLLING, [(TEN + 61 * MINUTE, 2 * PENNY), (TEN + 2 * HOUR, 4 * PENNY)]),
        (FIXED, [(TEN + 2 * HOUR, 4 * PENNY)]),
        (FIRST_USE, [(TEN + HOUR, 3 * PENNY), (TEN + 2 * HOUR, 4 * PENNY)]),
    ],
)
def test_usage_counts_as_far_back_as_a_window_of_the_rule_reaches_when_it_begins(
    scene: Scene, rule: Rule, buckets: list[tuple[datetime, int]]
) -> None:
    for calls, minutes in ((8, 59), (1, 60), (2, 61), (4, 120)):
        scene.desk.use(calls, at=TEN + minutes * MINUTE)
    build_buckets(seat=scene.seat, rule=rule, begins_at=TEN + 2 * HOUR)
    assert kept(rule, scene.seat) == buckets


@pytest.mark.django_db
def test_a_call_under_way_of_before_a_rule_counts_opens_no_window_of_it(scene: Scene) -> None:
    for minutes in (3, 4):
        scene.desk.lease(PENNY, at=TEN + minutes * MINUTE, seconds=7200)
    build_buckets(seat=scene.seat, rule=FIRST_USE, begins_at=TEN + HOUR + 4 * MINUTE)
    assert kept(FIRST_USE, scene.seat) == [(TEN + 4 * MINUTE, 0)]


@pytest.mark.django_db
@pytest.mark.parametrize("rule", [ROLLING, FIXED])
def test_a_call_under_way_is_in_no_bucket_of_a_rule_whose_windows_nobody_opens(
    scene: Scene, rule: Rule
) -> None:
    scene.desk.ask(1, at=TEN + HOUR)
    build_buckets(seat=scene.seat, rule=rule, begins_at=T0)
    assert kept(rule, scene.seat) == []


@pytest.mark.django_db
def test_a_late_report_of_before_a_rule_counts_is_in_no_bucket_of_it_and_a_correction_takes_nothing(
    scene: Scene,
) -> None:
    plan = make_plan("ultra", [Limit(r.policy, r, USD) for r in (ROLLING, FIXED, FIRST_USE)])
    asked = scene.desk.use(1, at=TEN + HOUR)
    at = TEN + 4 * HOUR
    entitle_seat(seat=scene.seat, plan=plan, starts_at=at, ends_at=None, source="x", at=at, by=None)
    late = reported(scene, "late", 2, TEN + 2 * HOUR, at=at)
    scene.desk.use(4, at=at)

    assert late.first_use_starts == {}
    of_new = {rule: kept(rule, scene.seat) for rule in (ROLLING, FIXED, FIRST_USE)}
    for event in (asked, late):
        correct_charge(event=event, usage=None, reason="x", at=at, by=None)
    assert of_new == {rule: [(at, 4 * PENNY)] for rule in of_new}
    assert {rule: kept(rule, scene.seat) for rule in of_new} == of_new
    assert [str(difference) for difference in differences(at)] == []


def test_where_the_windows_begin_that_a_call_counts_in_is_said_of_first_use_alone() -> None:
    usage = SeatUsage((ROLLING, FIXED, FIRST_USE), {FIRST_USE.key: [Bucket(T0, 1)]}, ())
    assert first_use_starts(usage, T0 + 59 * MINUTE) == {FIRST_USE.key: T0}
    assert first_use_starts(usage, T0 + HOUR) == {FIRST_USE.key: T0 + HOUR}


@pytest.mark.django_db
def test_a_call_opens_its_window_once_and_leaves_what_was_used_in_it(scene: Scene) -> None:
    bucket(scene.seat, FIRST_USE, T0, 7)
    usage = SeatUsage((ROLLING, FIXED, FIRST_USE), {FIRST_USE.key: [Bucket(T0, 7)]}, ())
    for moment in (T0 + MINUTE, T0 + 2 * HOUR):
        open_first_use_windows(scene.team.pk, scene.seat.pk, usage, moment)
    assert kept(FIRST_USE, scene.seat) == [(T0, 7), (T0 + 2 * HOUR, 0)]
    assert UsageBucket.objects.count() == 2


@pytest.mark.django_db
def test_without_a_seat_no_window_is_opened_and_the_database_not_asked() -> None:
    with CaptureQueriesContext(connection) as queries:
        open_first_use_windows(1, None, NO_SEAT, T0 + timedelta(hours=1))
    assert len(queries) == 0
