"""Small pictures, and what is read aloud of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from quota.selectors.seat_fullness import Fullness
from quota.selectors.usage_series import Amounts, UsageRow
from quota.templatetags.pictures import fullness, spend

START = datetime(2026, 6, 1, tzinfo=UTC)


def day(number: int, nanousd: int) -> UsageRow:
    return UsageRow(Amounts(1, nanousd, nanousd), starts_at=START + timedelta(days=number))


def test_a_column_is_as_high_as_what_was_spent_that_day() -> None:
    picture = spend([day(0, 4_000_000_000), day(2, 1_000_000_000), day(3, 1)], START, 4)

    assert picture["path"] == "M0.1 10v-10.00h.8v10.00zM2.1 10v-2.50h.8v2.50zM3.1 10v-0.30h.8v0.30z"
    assert picture["words"] == "$5.00 in 4 days; the most on 1 Jun 2026: $4.00"
    assert (picture["whole"], picture["average"], picture["most"]) == (
        5_000_000_001,
        1_250_000_000,
        4 * 10**9,
    )


def test_nothing_spent_is_an_empty_picture() -> None:
    picture = spend([], START, 30)

    assert (picture["path"], picture["words"], picture["highest"]) == ("", "$0.00 in 30 days", None)


def test_seats_are_parts_of_one_bar_and_counted_in_words() -> None:
    picture = fullness({Fullness.FULL: 1, Fullness.UNUSED: 3})

    assert [(part[0], part[1], part[3], part[4]) for part in picture["parts"]] == [
        ("full", 1, "0.00", "25.00"),
        ("unused", 3, "25.00", "75.00"),
    ]
    assert picture["words"] == "1 full, 3 unused"
