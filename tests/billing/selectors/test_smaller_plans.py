"""Seats for which the next lower plan would do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import PurchasedSeat, Subscription
from billing.selectors.smaller_plans import NAMED, SmallerPlans, smaller_plans
from quota.models import ClosedWindow, Plan, UsageBucket
from quota.windows import Limit, Policy, Rule
from teams.models import Seat, SeatHolding
from tests.helpers.factories import FIVE_HOURS, T0, USD, WEEK, limits, make_member, make_plan
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
CENT = USD // 100
# Mondays, when weekly windows begin: NOW lies in the week after these.
FIRST, SECOND = datetime(2026, 6, 15, tzinfo=UTC), datetime(2026, 6, 22, tzinfo=UTC)
NOW = datetime(2026, 7, 1, 10, tzinfo=UTC)


def paid(number: int = 1) -> Bill:
    """Max seats that each a member has held since T0. Plus has a third of each limit."""
    put_on_sale()
    bill = Bill()
    bill.say({"max": number})
    for seat in bill.team.seats.all():
        hold(seat)
    return bill


def hold(seat: Seat, *, since: datetime = T0) -> None:
    member = make_member(seat.team)
    SeatHolding.objects.create(team=seat.team, seat=seat, membership=member, started_at=since)


def closed(seat: Seat, rule: Rule, starts_at: datetime, used: int, limit: int = 0) -> None:
    name, of_max = ("week", 99_000_000_000) if rule is WEEK else ("5h", 9_900_000_000)
    ClosedWindow.objects.create(
        team=seat.team,
        seat=seat,
        name=name,
        rule=rule.key,
        starts_at=starts_at,
        ends_at=starts_at + rule.length,
        limit_nanousd=limit or of_max,
        used_nanousd=used,
        written_at=NOW,
    )


def two_weeks(seat: Seat, *, used: int = 10 * USD) -> None:
    for starts_at in (FIRST, SECOND):
        closed(seat, WEEK, starts_at, used)


def found(bill: Bill, at: datetime = NOW) -> list[tuple[int, int, str]]:
    seats = smaller_plans(bill.team, at).seats
    return [(seat.seat_number, seat.used_percent, seat.lower_code) for seat in seats]


def test_a_seat_that_uses_little_of_its_weeks_is_advised_the_next_lower_plan() -> None:
    bill = paid()
    seat = bill.team.seats.get()
    two_weeks(seat, used=1188 * CENT)

    (advised,) = smaller_plans(bill.team, NOW).seats

    assert (advised.seat_id, advised.plan_name, advised.used_percent) == (seat.pk, "Max", 12)
    assert (advised.lower_code, advised.lower_name) == ("plus", "Plus")
    assert advised.holder == SeatHolding.objects.get(seat=seat).membership


def test_what_was_used_has_to_stay_below_four_fifths_of_the_lower_limit() -> None:
    bill = paid()
    seat = bill.team.seats.get()
    two_weeks(seat, used=2640 * CENT - 1)
    assert found(bill) == [(1, 27, "plus")]

    ClosedWindow.objects.filter(starts_at=FIRST).update(used_nanousd=2640 * CENT)
    assert found(bill) == []


def test_two_weeks_of_the_present_plan_have_to_have_ended() -> None:
    bill = paid()
    seat = bill.team.seats.get()
    closed(seat, WEEK, SECOND, USD)
    assert found(bill) == []

    closed(seat, WEEK, FIRST, USD, limit=33_000_000_000)
    assert found(bill) == []

    ClosedWindow.objects.update(limit_nanousd=99_000_000_000)
    assert found(bill) == [(1, 2, "plus")]
    assert found(bill, NOW + 4 * DAY) == [(1, 2, "plus")]
    assert found(bill, NOW + 5 * DAY) == []


def test_a_short_window_that_the_lower_plan_has_no_room_for_speaks_against_it() -> None:
    bill = paid()
    seat = bill.team.seats.get()
    two_weeks(seat)
    noon = FIVE_HOURS.bucket_start(SECOND + 12 * timedelta(hours=1))
    origin = noon - (noon - datetime(1970, 1, 1, tzinfo=UTC)) % FIVE_HOURS.length
    closed(seat, FIVE_HOURS, origin, 140 * CENT)
    assert found(bill) == [(1, 15, "plus")]

    # A window may lie across two intervals of history: 140 and 124 cents may have been in one.
    closed(seat, FIVE_HOURS, origin + 2 * FIVE_HOURS.length, 124 * CENT)
    assert found(bill) == [(1, 15, "plus")]
    closed(seat, FIVE_HOURS, origin + FIVE_HOURS.length, 124 * CENT)
    assert found(bill) == []


def test_what_is_used_now_counts_too() -> None:
    bill = paid()
    seat = bill.team.seats.get()
    two_weeks(seat)
    bucket = UsageBucket.objects.create(
        team=seat.team,
        seat=seat,
        rule=FIVE_HOURS.key,
        starts_at=NOW - timedelta(hours=4),
        used_nanousd=2 * USD,
    )
    assert found(bill) == [(1, 21, "plus")]

    UsageBucket.objects.create(
        team=seat.team, seat=seat, rule=FIVE_HOURS.key, starts_at=NOW - timedelta(hours=1), used_nanousd=USD
    )
    assert found(bill) == []
    assert found(bill, bucket.starts_at + FIVE_HOURS.length) == [(1, 11, "plus")]


def test_a_holder_of_less_than_three_weeks_is_not_judged_by_what_another_has_used() -> None:
    bill = paid()
    two_weeks(bill.team.seats.get())
    holding = SeatHolding.objects.filter(team=bill.team)
    holding.update(started_at=NOW - 20 * DAY)
    assert found(bill) == []
    holding.update(started_at=NOW - 21 * DAY)
    assert found(bill) == [(1, 11, "plus")]
    holding.update(ended_at=NOW)
    assert found(bill) == []


def test_a_seat_with_a_plan_for_the_periods_end_or_not_paid_for_is_left_alone() -> None:
    bill = paid()
    two_weeks(bill.team.seats.get())
    bought = PurchasedSeat.objects.filter(team=bill.team)
    for planned in ({"leaves": True}, {"next_plan": Plan.objects.current("plus")}, {"ended_at": NOW}):
        bought.update(**planned)
        assert found(bill) == []
        bought.update(leaves=False, next_plan=None, ended_at=None)
    assert found(bill) == [(1, 11, "plus")]


def test_nothing_is_advised_while_plans_cannot_be_changed() -> None:
    bill = paid()
    two_weeks(bill.team.seats.get())
    rows = Subscription.objects.filter(team=bill.team)
    for state in ({"status": "past_due"}, {"cancel_at": NOW}, {"ended_at": NOW}):
        before = rows.values(*state).get()
        rows.update(**state)
        assert smaller_plans(bill.team, NOW) == SmallerPlans([], 0)
        rows.update(**before)
    assert found(bill) == [(1, 11, "plus")]


def test_the_lowest_plan_and_one_without_such_windows_have_no_lower_one() -> None:
    bill = paid()
    two_weeks(bill.team.seats.get())
    day = Rule(Policy.ROLLING, 86400)
    make_plan("plus", [*limits(), Limit("day", day, 50 * USD)])
    assert found(bill) == []

    PurchasedSeat.objects.update(plan=Plan.objects.current("plus"))
    assert found(bill) == []


def test_of_many_the_five_least_used_are_named_with_as_many_queries() -> None:
    bill = paid(NAMED + 2)
    seats = list(bill.team.seats.order_by("number"))

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            smaller_plans(bill.team, NOW)
        return len(queries)

    two_weeks(seats[0])
    few = asked()
    for place, seat in enumerate(seats[1:], 1):
        two_weeks(seat, used=(10 - place) * USD)

    assert smaller_plans(bill.team, NOW).count == NAMED + 2
    assert found(bill) == [(7, 5, "plus"), (6, 6, "plus"), (5, 7, "plus"), (4, 8, "plus"), (3, 9, "plus")]
    # The statement that finds them is not among these.
    assert (few, asked()) == (2, 2)
