"""Periods and cents, against models that are too slow and too plain to be wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.local_stripe.wire import at
from tokenplan.local_stripe.objects import amounts
from tokenplan.local_stripe.objects.dates import boundary_after, day_text, later

MOMENTS = st.integers(at(2019, 1, 1), at(2031, 1, 1))


@pytest.mark.parametrize(
    ("start", "interval", "count", "end"),
    [
        (at(2026, 1, 31), "month", 1, at(2026, 2, 28)),
        (at(2028, 1, 31), "month", 1, at(2028, 2, 29)),
        (at(2026, 1, 31), "month", 2, at(2026, 3, 31)),
        (at(2026, 12, 5), "month", 1, at(2027, 1, 5)),
        (at(2026, 3, 31), "month", 3, at(2026, 6, 30)),
        (at(2028, 2, 29), "year", 1, at(2029, 2, 28)),
        (at(2028, 2, 29), "year", 4, at(2032, 2, 29)),
        (at(2026, 2, 27), "week", 1, at(2026, 3, 6)),
        (at(2026, 2, 27), "day", 3, at(2026, 3, 2)),
    ],
)
def test_an_interval_later_has_the_same_day_or_the_months_last(
    start: int, interval: str, count: int, end: int
) -> None:
    assert later(start, interval, count) == end


def test_an_anchor_on_the_31st_keeps_its_day_through_short_months() -> None:
    ends, moment = [], at(2026, 1, 31)
    for _ in range(5):
        moment = boundary_after(at(2026, 1, 31), "month", 1, moment)
        ends.append(day_text(moment))
    assert ends == ["28 Feb 2026", "31 Mar 2026", "30 Apr 2026", "31 May 2026", "30 Jun 2026"]


def test_an_anchor_on_leap_day_returns_to_it_in_leap_years() -> None:
    ends, moment = [], at(2028, 2, 29)
    for _ in range(4):
        moment = boundary_after(at(2028, 2, 29), "year", 1, moment)
        ends.append(day_text(moment))
    assert ends == ["28 Feb 2029", "28 Feb 2030", "28 Feb 2031", "29 Feb 2032"]


@given(anchor=MOMENTS, moment=MOMENTS, interval=st.sampled_from(["day", "week", "month", "year"]))
def test_a_boundary_is_the_first_after_the_moment(anchor: int, moment: int, interval: str) -> None:
    ends = [anchor]
    while ends[-1] <= moment:
        ends.append(later(anchor, interval, len(ends)))
    assert boundary_after(anchor, interval, 1, moment) == next(end for end in ends if end > moment)


@given(MOMENTS)
def test_a_month_later_lies_in_the_next_month_of_the_calendar(moment: int) -> None:
    before, after = (datetime.fromtimestamp(second, UTC) for second in (moment, later(moment, "month", 1)))
    assert after.month == before.month % 12 + 1
    assert after.time() == before.time()
    assert after.day == before.day or (after + timedelta(days=1)).day == 1


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**8), st.integers(1, 10**8))
def test_a_part_is_rounded_to_the_nearest_cent_and_halves_away_from_zero(
    amount: int, numerator: int, denominator: int
) -> None:
    exact = Fraction(amount * numerator, denominator)
    found = amounts.part(amount, numerator, denominator)
    assert abs(found - exact) <= Fraction(1, 2)
    assert amounts.part(-amount, numerator, denominator) == -found
    if abs(found - exact) == Fraction(1, 2):
        assert abs(found) > abs(exact)


@given(st.integers(0, 10**7), st.lists(st.integers(0, 10**6), max_size=8))
def test_shares_come_to_the_total_and_none_exceeds_its_weight_when_the_total_does_not(
    total: int, weights: list[int]
) -> None:
    total = min(total, sum(weights))
    found = amounts.shares(total, weights)
    assert sum(found) == total
    assert all(0 <= share <= weight for share, weight in zip(found, weights, strict=True))


@pytest.mark.parametrize(
    ("total", "balance", "due", "left"),
    [
        (2_000, 0, 2_000, 0),
        (2_000, -500, 1_500, 0),
        (2_000, -2_000, 0, 0),
        (2_000, -2_500, 0, -500),
        (-700, 0, 0, -700),
        (-700, -300, 0, -1_000),
        (-700, 1_000, 300, 0),
        (2_000, 300, 2_300, 0),
        (49, 0, 0, 49),
        (50, 0, 50, 0),
        (0, 0, 0, 0),
    ],
)
def test_a_balance_pays_first_and_less_than_50_cents_is_left_to_it(
    total: int, balance: int, due: int, left: int
) -> None:
    assert amounts.settled(total, balance) == (due, left)


def test_percentages_may_have_two_places() -> None:
    assert amounts.percent(999, Decimal("33.33")) == 333
    assert amounts.percent(1_000, Decimal("12.55")) == 126
    assert amounts.percent(1_000, Decimal(100)) == 1_000
