"""Billing periods, against models that are too slow and too plain to be wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.local_stripe.in_process import at
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
