"""What a change request is billed as, now and from the next period on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing.change_requests import (
    MAX_SEATS,
    AddSeats,
    Bill,
    BillChange,
    ChangeRequest,
    GiveUpSeats,
    KeepSeats,
    MoveSeats,
    PlannedSeat,
    SwitchInterval,
    Terms,
    bill_later,
    bill_now,
)
from billing.errors import ChangeInProgress, NothingToChange, NotOnSale
from billing.seat_plans import LEAVES
from tokenplan.kit.errors import InvalidValue, NotFound, Refusal

PLUS, MAX, ULTRA = 1, 2, 3
COST = {PLUS: 20, MAX: 50, ULTRA: 120}
# Two of Plus, one of Max that is to become Plus, one of Ultra that leaves.
SEATS = (
    PlannedSeat(1, PLUS),
    PlannedSeat(2, PLUS),
    PlannedSeat(3, MAX, PLUS),
    PlannedSeat(4, ULTRA, LEAVES),
)


def made_of(
    request: ChangeRequest,
    seats: tuple[PlannedSeat, ...] = SEATS,
    *,
    interval: str = "month",
    next_interval: str = "",
) -> BillChange:
    return request.bill_change(Terms(seats, interval, next_interval, COST))


def test_what_is_billed_follows_the_seats() -> None:
    assert bill_now(SEATS, "month") == Bill({PLUS: 2, MAX: 1, ULTRA: 1}, "month")
    assert bill_later(SEATS, "year") == Bill({PLUS: 3}, "year")


def test_seats_that_are_added_are_billed_now_and_later() -> None:
    made = made_of(AddSeats(MAX, 2))
    assert made.now == Bill({PLUS: 2, MAX: 3, ULTRA: 1}, "month")
    assert made.later == Bill({PLUS: 3, MAX: 2}, "month")
    assert (made.moves, made.seats, made.next_interval) == ({}, SEATS, "")


def test_a_seat_that_moves_up_does_so_now_and_what_was_planned_for_it_is_forgotten() -> None:
    made = made_of(MoveSeats(ULTRA, (1, 3)))
    assert made.moves == {1: ULTRA, 3: ULTRA}
    assert made.now == Bill({PLUS: 1, ULTRA: 3}, "month")
    assert made.later == Bill({PLUS: 1, ULTRA: 2}, "month")


def test_a_seat_that_moves_down_is_billed_as_before_until_the_periods_end() -> None:
    made = made_of(MoveSeats(MAX, (4,)))
    assert made.now == bill_now(SEATS, "month")
    assert made.later == Bill({PLUS: 3, MAX: 1}, "month")
    assert made.seats[3] == PlannedSeat(4, ULTRA, MAX)


def test_seats_given_up_are_paid_until_the_periods_end() -> None:
    made = made_of(GiveUpSeats((1, 3)))
    assert made.now == bill_now(SEATS, "month")
    assert made.later == Bill({PLUS: 1}, "month")


def test_kept_seats_stay_as_they_are() -> None:
    made = made_of(KeepSeats((3, 4)))
    assert made.later == bill_now(SEATS, "month")
    assert [seat.next_plan_id for seat in made.seats] == [None] * 4


def test_a_plan_that_costs_as_much_is_moved_to_now() -> None:
    made = MoveSeats(MAX, (1,)).bill_change(Terms(SEATS, "month", "", {**COST, PLUS: 50}))
    assert made.moves == {1: MAX}


def test_by_the_year_is_at_once_and_by_the_month_at_the_periods_end() -> None:
    kept = tuple(PlannedSeat(seat.id, seat.plan_id) for seat in SEATS)
    up = made_of(SwitchInterval("year"), kept)
    assert (up.now, up.later, up.next_interval) == (bill_now(kept, "year"), bill_now(kept, "year"), "")
    down = made_of(SwitchInterval("month"), interval="year")
    assert (down.now, down.later) == (bill_now(SEATS, "year"), bill_later(SEATS, "month"))
    assert down.next_interval == "month"
    taken_back = made_of(SwitchInterval("year"), interval="year", next_interval="month")
    assert (taken_back.later, taken_back.next_interval) == (bill_later(SEATS, "year"), "")


def test_what_is_planned_by_the_month_stays_so_when_seats_are_added() -> None:
    made = made_of(AddSeats(PLUS, 1), interval="year", next_interval="month")
    assert (made.now.interval, made.later.interval, made.next_interval) == ("year", "month", "month")


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        (AddSeats(MAX, 0), "/count"),
        (MoveSeats(MAX, ()), "/seats"),
        (MoveSeats(MAX, (1, 4)), "/seats"),
        (GiveUpSeats((1, 2, 3)), "/seats"),
        (SwitchInterval("week"), "/interval"),
    ],
)
def test_a_refusal_points_at_the_field_that_is_wrong(asked: ChangeRequest, pointer: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        made_of(asked)
    assert refusal.value.pointer == pointer


def test_a_team_has_at_most_a_thousand_seats() -> None:
    assert made_of(AddSeats(MAX, 996)).now.seats == {PLUS: 2, MAX: 997, ULTRA: 1}
    with pytest.raises(InvalidValue, match="at most 1000 seats"):
        made_of(AddSeats(MAX, 997))


@pytest.mark.parametrize(
    ("asked", "named", "added"),
    [
        (AddSeats(MAX, 2), set(), {MAX: 2}),
        (MoveSeats(ULTRA, (1, 3)), {1, 3}, {}),
        (GiveUpSeats((1, 2)), {1, 2}, {}),
        (KeepSeats((3,)), {3}, {}),
    ],
)
def test_a_change_says_which_seats_it_names_and_adds(
    asked: ChangeRequest, named: set[int], added: dict[int, int]
) -> None:
    made = made_of(asked)
    assert set(made.named) == named
    assert dict(made.added) == added


def test_whether_a_change_is_at_once() -> None:
    assert made_of(AddSeats(MAX, 1)).at_once
    assert made_of(MoveSeats(ULTRA, (1,))).at_once
    assert made_of(SwitchInterval("year"), (PlannedSeat(1, PLUS),)).at_once
    assert not made_of(GiveUpSeats((1,))).at_once
    assert not made_of(SwitchInterval("month"), interval="year").at_once


def test_what_is_planned_ahead_is_seen_before_and_after_the_change() -> None:
    plain = (PlannedSeat(1, PLUS), PlannedSeat(2, MAX))
    assert not made_of(AddSeats(MAX, 1), plain).plans_ahead
    assert made_of(GiveUpSeats((1,)), plain).plans_ahead  # after it
    assert made_of(
        KeepSeats((2,)), (PlannedSeat(1, PLUS), PlannedSeat(2, MAX, PLUS))
    ).plans_ahead  # before it
    assert made_of(SwitchInterval("month"), plain, interval="year").plans_ahead
    back = made_of(SwitchInterval("year"), plain, interval="year", next_interval="month")
    assert back.plans_ahead
    assert not made_of(AddSeats(MAX, 1), plain, interval="year").plans_ahead


def test_what_is_brought_forward_or_taken_back_is_a_change_although_the_next_bill_stays() -> None:
    plain = (PlannedSeat(1, PLUS),)
    assert made_of(SwitchInterval("year"), plain, next_interval="year").at_once
    assert made_of(KeepSeats((1,)), (PlannedSeat(1, PLUS, PLUS),)).seats == plain


def test_seats_on_the_plan_that_is_asked_for_only_lose_what_was_planned() -> None:
    made = made_of(MoveSeats(MAX, (3, 1)))
    assert (made.moves, made.seats[2]) == ({1: MAX}, PlannedSeat(3, MAX))
    # A plan that is no longer sold needs no price for the seats that are on it.
    kept = MoveSeats(MAX, (3,)).bill_change(Terms(SEATS, "month", "", {PLUS: 20}))
    assert kept.seats[2] == PlannedSeat(3, MAX)


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (AddSeats(MAX, 0), InvalidValue),
        (AddSeats(MAX, MAX_SEATS - 3), InvalidValue),
        (MoveSeats(MAX, ()), InvalidValue),
        (MoveSeats(9, (1,)), NotOnSale),
        (MoveSeats(MAX, (9,)), NotFound),
        (MoveSeats(MAX, (1, 4)), InvalidValue),
        (MoveSeats(PLUS, (1,)), NothingToChange),
        (MoveSeats(PLUS, (3,)), NothingToChange),
        (GiveUpSeats((4,)), NothingToChange),
        (GiveUpSeats((1, 2, 3)), InvalidValue),
        (KeepSeats((1,)), NothingToChange),
        (SwitchInterval("week"), InvalidValue),
        (SwitchInterval("month"), NothingToChange),
        (SwitchInterval("year"), ChangeInProgress),
    ],
)
def test_what_cannot_be_is_refused(asked: ChangeRequest, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        made_of(asked)


plans = st.sampled_from([PLUS, MAX, ULTRA])
seats_lists = st.lists(st.tuples(plans, st.one_of(st.none(), st.just(LEAVES), plans)), min_size=1, max_size=5)
some_seats = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
requests = st.one_of(
    st.builds(AddSeats, plans, st.integers(1, 3)),
    st.builds(MoveSeats, plans, some_seats),
    st.builds(GiveUpSeats, some_seats),
    st.builds(KeepSeats, some_seats),
)


def planned(rows: list[tuple[int, int | None]]) -> tuple[PlannedSeat, ...]:
    return tuple(
        PlannedSeat(id, plan, None if plan == wanted else wanted) for id, (plan, wanted) in enumerate(rows, 1)
    )


def done_at_once(made: BillChange) -> tuple[PlannedSeat, ...]:
    """The seats after it was done, those added at the end."""
    after = [
        PlannedSeat(seat.id, made.moves.get(seat.id, seat.plan_id), seat.next_plan_id) for seat in made.seats
    ]
    new = Counter(made.now.seats) - Counter(seat.plan_id for seat in after)
    return (*after, *(PlannedSeat(100 + n, plan) for n, plan in enumerate(new.elements())))


@given(seats_lists, requests)
def test_what_is_shown_of_the_next_period_is_what_the_seats_then_say(
    rows: list[tuple[int, int | None]], asked: ChangeRequest
) -> None:
    seats = planned(rows)
    try:
        made = made_of(asked, seats)
    except Refusal:
        assume(False)
        raise
    after = done_at_once(made)
    assert bill_now(after, "month") == made.now
    assert bill_later(after, "month") == made.later


@given(seats_lists, requests)
def test_less_is_never_billed_at_once_and_nobody_pays_for_what_is_for_later(
    rows: list[tuple[int, int | None]], asked: ChangeRequest
) -> None:
    def cost(bill: Bill) -> int:
        return sum(COST[plan] * count for plan, count in bill.seats.items())

    seats = planned(rows)
    try:
        made = made_of(asked, seats)
    except Refusal:
        assume(False)
        raise
    more: Callable[[int, int], bool] = int.__gt__ if isinstance(asked, AddSeats) else int.__ge__
    assert more(cost(made.now), cost(bill_now(seats, "month")))
    if isinstance(asked, (GiveUpSeats, KeepSeats)):
        assert made.now == bill_now(seats, "month")


def test_a_request_reads_the_same_however_its_seats_were_named() -> None:
    move = MoveSeats(MAX, (1000, 3, 1000))
    assert (
        move.as_json()
        == MoveSeats(MAX, (3, 1000)).as_json()
        == {
            "kind": "move",
            "plan_id": MAX,
            "seat_ids": [3, 1000],
        }
    )


def test_different_requests_never_read_the_same() -> None:
    different = [
        AddSeats(PLUS, 1),
        AddSeats(PLUS, 2),
        AddSeats(MAX, 1),
        MoveSeats(MAX, (1, 2, 3, 4, 5, 6)),
        MoveSeats(MAX, (1, 2, 3, 4, 5, 7)),
        MoveSeats(ULTRA, (1, 2, 3, 4, 5, 6)),
        GiveUpSeats((1, 2)),
        GiveUpSeats((1,)),
        KeepSeats((1, 2)),
        SwitchInterval("month"),
        SwitchInterval("year"),
    ]
    assert len({str(request.as_json()) for request in different}) == len(different)
