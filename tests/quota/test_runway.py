"""How long Credits last, and what expires unused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota.outlook import Pace
from quota.runway import Lot, Runway, left_at, runway
from tests.helpers.factories import T0

DAY = timedelta(days=1)
TEN_A_DAY = Pace(70, 7 * DAY)


def lot(left: int, days: int) -> Lot:
    return Lot(left, T0 + days * DAY)


@pytest.mark.parametrize(
    ("lots", "ends_in", "losses"),
    [
        ([], None, []),
        ([lot(50, 30)], 5, []),
        ([lot(300, 30)], 30, []),
        ([lot(301, 30)], None, [(30, 1)]),
        ([lot(50, 3), lot(100, 30)], 13, [(3, 20)]),
        ([lot(50, 10), lot(100, 30)], 15, []),
        ([lot(50, 10), lot(400, 30)], None, [(30, 150)]),
        ([lot(50, 3), lot(50, 3)], None, [(3, 20), (3, 50)]),
    ],
)
def test_the_lot_that_expires_first_is_used_first(
    lots: list[Lot], ends_in: int | None, losses: list[tuple[int, int]]
) -> None:
    ahead = runway(lots, TEN_A_DAY, T0)

    assert ahead == Runway(
        None if ends_in is None else T0 + ends_in * DAY,
        tuple((T0 + days * DAY, lost) for days, lost in losses),
    )


def test_where_nothing_is_used_all_of_it_expires() -> None:
    lots = [lot(50, 3), lot(100, 30)]

    assert runway(lots, None, T0) == Runway(None, ((T0 + 3 * DAY, 50), (T0 + 30 * DAY, 100)))
    assert [left_at(lots, None, T0, T0 + days * DAY) for days in (0, 2, 3, 29, 30)] == [150, 150, 100, 100, 0]


def test_what_is_left_falls_by_what_is_used_and_what_expires() -> None:
    lots = [lot(50, 3), lot(100, 30)]

    left = [left_at(lots, TEN_A_DAY, T0, T0 + days * DAY) for days in (0, 1, 2, 3, 4, 12, 13, 14)]

    assert left == [150, 140, 130, 100, 90, 10, 0, 0]


def test_it_is_exact_to_the_microsecond_and_a_lot_waits_until_the_one_before_expires() -> None:
    micro = timedelta(microseconds=1)
    assert runway([lot(1, 1)], Pace(1, 3 * micro), T0) == Runway(T0 + 3 * micro, ())

    lots = [Lot(5, T0 + 15 * micro), lot(1, 1)]
    assert runway(lots, Pace(1, 10 * micro), T0) == Runway(T0 + 25 * micro, ((T0 + 15 * micro, 4),))


def test_a_lot_in_which_nothing_is_left_changes_nothing() -> None:
    assert left_at([lot(0, 3), lot(50, 3)], None, T0, T0 + DAY) == 50


@given(
    lots=st.lists(st.builds(lot, st.integers(1, 10**15), st.integers(1, 400)), max_size=5),
    pace=st.builds(Pace, st.integers(1, 10**15), st.just(7 * DAY)),
)
def test_at_its_end_nothing_is_left_and_just_before_there_is_something(lots: list[Lot], pace: Pace) -> None:
    lots.sort(key=lambda one: one.expires_at)
    ahead = runway(lots, pace, T0)
    if ahead.ends_at is None:
        assert not lots or ahead.losses[-1][0] == lots[-1].expires_at
        return
    assert left_at(lots, pace, T0, ahead.ends_at) == 0
    assert left_at(lots, pace, T0, ahead.ends_at - timedelta(microseconds=2)) > 0 or ahead.ends_at - T0 < DAY
