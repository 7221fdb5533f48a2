"""Who keeps which seat when what is paid for changes."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from billing.allotment import LEAVES, SeatToAllot, allot

PLUS, MAX, ULTRA = 1, 2, 3


def test_what_is_paid_for_as_before_leaves_every_seat_as_it_is() -> None:
    seats = [SeatToAllot(1, PLUS), SeatToAllot(2, MAX, held=True)]
    done = allot(seats, {PLUS: 1, MAX: 1})
    assert (done.plans, list(done.new), list(done.gone)) == ({1: PLUS, 2: MAX}, [], [])


def test_a_first_purchase_makes_seats() -> None:
    assert list(allot([], {MAX: 2, PLUS: 1}).new) == [PLUS, MAX, MAX]


def test_an_upgrade_moves_the_seat_that_was_named() -> None:
    seats = [SeatToAllot(1, PLUS, held=True), SeatToAllot(2, PLUS, wish=MAX, held=True)]
    done = allot(seats, {PLUS: 1, MAX: 1})
    assert (done.plans, list(done.new), list(done.gone)) == ({1: PLUS, 2: MAX}, [], [])


def test_a_wish_alone_moves_nothing() -> None:
    """What is planned for the period's end stands in the row long before Stripe bills it."""
    seats = [SeatToAllot(1, PLUS, wish=MAX), SeatToAllot(2, MAX, wish=PLUS), SeatToAllot(3, MAX, wish=LEAVES)]
    assert allot(seats, {PLUS: 1, MAX: 2}).plans == {1: PLUS, 2: MAX, 3: MAX}


def test_an_upgrade_beside_a_planned_downgrade_moves_only_the_one_that_is_billed() -> None:
    seats = [SeatToAllot(1, PLUS, wish=MAX), SeatToAllot(2, MAX, wish=PLUS), SeatToAllot(3, PLUS)]
    assert allot(seats, {PLUS: 1, MAX: 2}).plans == {1: MAX, 2: MAX, 3: PLUS}


def test_seats_named_to_leave_go_first_then_free_ones_then_the_newest() -> None:
    seats = [
        SeatToAllot(1, MAX, held=True),
        SeatToAllot(2, MAX),
        SeatToAllot(3, MAX, wish=LEAVES, held=True),
        SeatToAllot(4, MAX, held=True),
    ]
    assert list(allot(seats, {MAX: 3}).gone) == [3]
    assert list(allot(seats, {MAX: 2}).gone) == [2, 3]
    assert list(allot(seats, {MAX: 1}).gone) == [2, 3, 4]
    assert list(allot(seats, {}).gone) == [1, 2, 3, 4]


def test_a_change_made_at_stripe_without_us_moves_a_seat_rather_than_replacing_it() -> None:
    """An operator changed the plan in Stripe's own console: the holder keeps the seat and its usage."""
    done = allot([SeatToAllot(1, PLUS, held=True)], {ULTRA: 1})
    assert (done.plans, list(done.new), list(done.gone)) == ({1: ULTRA}, [], [])


plans = st.sampled_from([PLUS, MAX, ULTRA])
seats_lists = st.lists(
    st.tuples(plans, st.one_of(st.none(), st.just(LEAVES), plans), st.booleans()), max_size=7
).map(lambda rows: [SeatToAllot(i, plan, wish, held) for i, (plan, wish, held) in enumerate(rows, 1)])
payments = st.dictionaries(plans, st.integers(0, 4))


@given(seats_lists, payments)
def test_there_are_always_exactly_the_seats_that_are_paid_for(
    seats: list[SeatToAllot], paid: dict[int, int]
) -> None:
    done = allot(seats, paid)
    assert Counter(done.plans.values()) + Counter(done.new) == Counter(paid)
    assert sorted([*done.plans, *done.gone]) == [seat.id for seat in seats]


@given(seats_lists, payments)
def test_as_many_seats_keep_their_plan_as_can(seats: list[SeatToAllot], paid: dict[int, int]) -> None:
    """By counting: of each plan as many stay as were there and are paid for. And none that wished to stay
    gives way to one that did not, on its own plan."""
    done = allot(seats, paid)
    before = Counter(seat.plan for seat in seats)
    stayed = Counter(seat.plan for seat in seats if done.plans.get(seat.id) == seat.plan)
    assert all(stayed[plan] == min(before[plan], paid.get(plan, 0)) for plan in before)
    for seat in seats:
        for other in seats:
            if seat.plan == other.plan and seat.wish is None and other.wish is not None:
                assert done.plans.get(seat.id) == seat.plan or done.plans.get(other.id) != seat.plan


@given(seats_lists, payments)
def test_nobody_loses_a_seat_while_there_is_room_unless_they_wished_to(
    seats: list[SeatToAllot], paid: dict[int, int]
) -> None:
    done = allot(seats, paid)
    gone = {seat.id: seat for seat in seats if seat.id in done.gone}
    assert not done.new or all(seat.wish == LEAVES for seat in gone.values())


@given(seats_lists, payments)
def test_sharing_out_twice_changes_nothing(seats: list[SeatToAllot], paid: dict[int, int]) -> None:
    once = allot(seats, paid)
    kept = [SeatToAllot(s.id, once.plans[s.id], s.wish, s.held) for s in seats if s.id in once.plans]
    added = [SeatToAllot(100 + n, plan) for n, plan in enumerate(once.new)]
    again = allot([*kept, *added], paid)
    assert again.plans == {seat.id: seat.plan for seat in [*kept, *added]}
    assert not again.new
    assert not again.gone
