"""Small pictures, and what is read aloud of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from quota.models import UsageEvent
from quota.selectors.seat_fullness import Fullness
from quota.selectors.seats import HoldingUsage
from quota.selectors.usage_series import Amounts, UsageRow
from quota.templatetags.pictures import fullness, holders, spend, split
from teams.models import Membership, SeatHolding, User

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


def test_a_charge_of_two_payers_is_split_by_what_each_paid() -> None:
    paid = UsageEvent(from_quota_nanousd=10**9, from_credits_nanousd=3 * 10**9)

    picture = split(paid)

    assert [(part[0], part[3], part[4]) for part in picture["parts"]] == [
        ("quota", "0.00", "25.00"),
        ("credits", "25.00", "75.00"),
    ]
    assert picture["words"] == "From quota $1.00, From Credits $3.00"


@pytest.mark.parametrize("amounts", [(10**9, 0), (0, 0), (-(10**9), -(10**9))])
def test_one_payer_and_what_is_given_back_are_no_split(amounts: tuple[int, int]) -> None:
    event = UsageEvent(from_quota_nanousd=amounts[0], overrun_nanousd=amounts[1])
    assert split(event) == {"parts": []}


def held(name: str, first: int, last: int | None) -> HoldingUsage:
    """A holding from the first to the last day; None: still."""
    holding = SeatHolding(
        membership=Membership(user=User(email=name)),
        started_at=START + timedelta(days=first),
        ended_at=None if last is None else START + timedelta(days=last),
    )
    return HoldingUsage(holding, 0)


def test_holders_are_a_strip_over_the_time_since_the_first() -> None:
    history = [held("ada", 8, None), held("mia", 2, 6), held("ada", 0, 2)]

    with time_machine.travel(START + timedelta(days=10), tick=False):
        picture = holders(history)

    assert picture["parts"] == [(1, "0.00", "20.00"), (2, "20.00", "40.00"), (1, "80.00", "20.00")]
    assert picture["shares"] == [(1, "ada", "40%"), (2, "mia", "40%")]
    assert picture["words"] == "Since 1 Jun 2026: ada 40%, mia 40% of the time"


def test_a_seat_of_one_holder_or_of_none_is_no_picture() -> None:
    with time_machine.travel(START + timedelta(days=10), tick=False):
        assert (holders([]), holders([held("ada", 0, None)])) == ({"parts": []}, {"parts": []})
