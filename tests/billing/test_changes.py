"""What an Owner's wish is billed as, now and from the next period on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing.allotment import LEAVES
from billing.changes import (
    ADD,
    GIVE_UP,
    INTERVAL,
    KEEP,
    MAX_SEATS,
    MOVE,
    Bill,
    Outcome,
    SeatPlanned,
    Wish,
    billed,
    billed_later,
    outcome,
)
from billing.errors import ChangeInProgress, NothingToChange, NotOnSale
from tokenplan.kit.errors import InvalidValue, NotFound, Refusal

PLUS, MAX, ULTRA = 1, 2, 3
COST = {PLUS: 20, MAX: 50, ULTRA: 120}
# Two of Plus, one of Max that is to become Plus, one of Ultra that leaves.
SEATS = (
    SeatPlanned(1, PLUS),
    SeatPlanned(2, PLUS),
    SeatPlanned(3, MAX, PLUS),
    SeatPlanned(4, ULTRA, LEAVES),
)


def made_of(wish: Wish, *, interval: str = "month", next_interval: str = "") -> Outcome:
    return outcome(wish, SEATS, interval, next_interval, COST)


def test_what_is_billed_follows_the_seats() -> None:
    assert billed(SEATS, "month") == Bill({PLUS: 2, MAX: 1, ULTRA: 1}, "month")
    assert billed_later(SEATS, "year") == Bill({PLUS: 3}, "year")


def test_seats_that_are_added_are_billed_now_and_later() -> None:
    made = made_of(Wish(ADD, plan=MAX, count=2))
    assert made.now == Bill({PLUS: 2, MAX: 3, ULTRA: 1}, "month")
    assert made.later == Bill({PLUS: 3, MAX: 2}, "month")
    assert (made.moves, made.seats, made.next_interval) == ({}, SEATS, "")


def test_a_seat_that_moves_up_does_so_now_and_what_was_planned_for_it_is_forgotten() -> None:
    made = made_of(Wish(MOVE, plan=ULTRA, seats=(1, 3)))
    assert made.moves == {1: ULTRA, 3: ULTRA}
    assert made.now == Bill({PLUS: 1, ULTRA: 3}, "month")
    assert made.later == Bill({PLUS: 1, ULTRA: 2}, "month")


def test_a_seat_that_moves_down_is_billed_as_before_until_the_periods_end() -> None:
    made = made_of(Wish(MOVE, plan=MAX, seats=(4,)))
    assert made.now == billed(SEATS, "month")
    assert made.later == Bill({PLUS: 3, MAX: 1}, "month")
    assert made.seats[3] == SeatPlanned(4, ULTRA, MAX)


def test_seats_given_up_are_paid_until_the_periods_end() -> None:
    made = made_of(Wish(GIVE_UP, seats=(1, 3)))
    assert made.now == billed(SEATS, "month")
    assert made.later == Bill({PLUS: 1}, "month")


def test_kept_seats_stay_as_they_are() -> None:
    made = made_of(Wish(KEEP, seats=(3, 4)))
    assert made.later == billed(SEATS, "month")
    assert [seat.planned for seat in made.seats] == [None] * 4


def test_a_plan_that_costs_as_much_is_moved_to_now() -> None:
    made = outcome(Wish(MOVE, plan=MAX, seats=(1,)), SEATS, "month", "", {**COST, PLUS: 50})
    assert made.moves == {1: MAX}


def test_by_the_year_is_at_once_and_by_the_month_at_the_periods_end() -> None:
    kept = tuple(SeatPlanned(seat.id, seat.plan) for seat in SEATS)
    up = outcome(Wish(INTERVAL, interval="year"), kept, "month", "", COST)
    assert (up.now, up.later, up.next_interval) == (billed(kept, "year"), billed(kept, "year"), "")
    down = made_of(Wish(INTERVAL, interval="month"), interval="year")
    assert (down.now, down.later) == (billed(SEATS, "year"), billed_later(SEATS, "month"))
    assert down.next_interval == "month"
    taken_back = made_of(Wish(INTERVAL, interval="year"), interval="year", next_interval="month")
    assert (taken_back.later, taken_back.next_interval) == (billed_later(SEATS, "year"), "")


def test_what_is_planned_by_the_month_stays_so_when_seats_are_added() -> None:
    made = made_of(Wish(ADD, plan=PLUS, count=1), interval="year", next_interval="month")
    assert (made.now.interval, made.later.interval, made.next_interval) == ("year", "month", "month")


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        (Wish(ADD, plan=MAX, count=0), InvalidValue),
        (Wish(ADD, plan=None, count=1), InvalidValue),
        (Wish(ADD, plan=MAX, count=MAX_SEATS - 3), InvalidValue),
        (Wish(MOVE, plan=MAX, seats=()), InvalidValue),
        (Wish(MOVE, plan=None, seats=(1,)), InvalidValue),
        (Wish(MOVE, plan=9, seats=(1,)), NotOnSale),
        (Wish(MOVE, plan=MAX, seats=(9,)), NotFound),
        (Wish(MOVE, plan=MAX, seats=(1, 4)), InvalidValue),
        (Wish(MOVE, plan=PLUS, seats=(1,)), NothingToChange),
        (Wish(MOVE, plan=PLUS, seats=(3,)), NothingToChange),
        (Wish(GIVE_UP, seats=(4,)), NothingToChange),
        (Wish(GIVE_UP, seats=(1, 2, 3)), InvalidValue),
        (Wish(KEEP, seats=(1,)), NothingToChange),
        (Wish(INTERVAL, interval="week"), InvalidValue),
        (Wish(INTERVAL, interval="month"), NothingToChange),
        (Wish(INTERVAL, interval="year"), ChangeInProgress),
    ],
)
def test_what_cannot_be_wished_for_is_refused(wish: Wish, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        made_of(wish)


plans = st.sampled_from([PLUS, MAX, ULTRA])
seats_lists = st.lists(st.tuples(plans, st.one_of(st.none(), st.just(LEAVES), plans)), min_size=1, max_size=5)
some_seats = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
wishes = st.one_of(
    st.builds(Wish, st.just(ADD), plans, st.integers(1, 3)),
    st.builds(Wish, st.just(MOVE), plans, st.just(0), some_seats),
    st.builds(Wish, st.sampled_from([GIVE_UP, KEEP]), st.none(), st.just(0), some_seats),
)


def planned(rows: list[tuple[int, int | None]]) -> tuple[SeatPlanned, ...]:
    return tuple(
        SeatPlanned(id, plan, None if plan == wanted else wanted) for id, (plan, wanted) in enumerate(rows, 1)
    )


def done_at_once(made: Outcome) -> tuple[SeatPlanned, ...]:
    """The seats after it was done, those added at the end."""
    after = [SeatPlanned(seat.id, made.moves.get(seat.id, seat.plan), seat.planned) for seat in made.seats]
    new = Counter(made.now.seats) - Counter(seat.plan for seat in after)
    return (*after, *(SeatPlanned(100 + n, plan) for n, plan in enumerate(new.elements())))


@given(seats_lists, wishes)
def test_what_is_shown_of_the_next_period_is_what_the_seats_then_say(
    rows: list[tuple[int, int | None]], wish: Wish
) -> None:
    seats = planned(rows)
    try:
        made = outcome(wish, seats, "month", "", COST)
    except Refusal:
        assume(False)
        raise
    after = done_at_once(made)
    assert billed(after, "month") == made.now
    assert billed_later(after, "month") == made.later


@given(seats_lists, wishes)
def test_less_is_never_billed_at_once_and_nobody_pays_for_what_is_for_later(
    rows: list[tuple[int, int | None]], wish: Wish
) -> None:
    def cost(bill: Bill) -> int:
        return sum(COST[plan] * count for plan, count in bill.seats.items())

    seats = planned(rows)
    try:
        made = outcome(wish, seats, "month", "", COST)
    except Refusal:
        assume(False)
        raise
    more: Callable[[int, int], bool] = int.__gt__ if wish.kind == ADD else int.__ge__
    assert more(cost(made.now), cost(billed(seats, "month")))
    if wish.kind in (GIVE_UP, KEEP):
        assert made.now == billed(seats, "month")
