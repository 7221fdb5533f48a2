"""Who keeps which seat when what is paid for changes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.seat_plans import LEAVES, SeatToPlace, place_seats

PLUS, MAX, ULTRA = 1, 2, 3


def test_what_is_paid_for_as_before_leaves_every_seat_as_it_is() -> None:
    seats = [SeatToPlace(1, PLUS), SeatToPlace(2, MAX, held=True)]
    done = place_seats(seats, {PLUS: 1, MAX: 1})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({1: PLUS, 2: MAX}, [], [])


def test_a_first_purchase_makes_seats() -> None:
    assert list(place_seats([], {MAX: 2, PLUS: 1}).new) == [PLUS, MAX, MAX]


def test_an_upgrade_moves_the_seat_that_was_named() -> None:
    seats = [SeatToPlace(1, PLUS, held=True), SeatToPlace(2, PLUS, wanted_plan_id=MAX, held=True)]
    done = place_seats(seats, {PLUS: 1, MAX: 1})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({1: PLUS, 2: MAX}, [], [])


@pytest.mark.parametrize("at_once", [True, False])
def test_seats_that_follow_each_other_up_or_down_each_get_the_plan_named_for_them(at_once: bool) -> None:
    up = [SeatToPlace(1, PLUS, MAX, at_once=at_once), SeatToPlace(2, MAX, ULTRA, at_once=at_once)]
    assert place_seats(up, {PLUS: 1, MAX: 1}).plan_ids == {1: PLUS, 2: MAX}  # not paid yet
    done = place_seats(up, {MAX: 1, ULTRA: 1})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({1: MAX, 2: ULTRA}, [], [])
    down = [SeatToPlace(1, MAX, PLUS), SeatToPlace(2, ULTRA, MAX), SeatToPlace(3, MAX, LEAVES)]
    done = place_seats(down, {PLUS: 1, MAX: 1})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({1: PLUS, 2: MAX}, [], [3])


def test_seats_that_will_swap_their_plans_have_not_done_so_while_both_are_paid_for() -> None:
    seats = [SeatToPlace(1, MAX, PLUS), SeatToPlace(2, PLUS, MAX)]
    assert place_seats(seats, {PLUS: 1, MAX: 1}).plan_ids == {1: MAX, 2: PLUS}


def test_a_seat_that_is_raised_at_once_is_not_before_it_is_paid_though_another_will_change() -> None:
    seats = [SeatToPlace(1, ULTRA, PLUS), SeatToPlace(2, PLUS, ULTRA, at_once=True)]
    assert place_seats(seats, {PLUS: 1, ULTRA: 1}).plan_ids == {1: ULTRA, 2: PLUS}


def test_seats_that_follow_each_other_at_once_do_so_beside_one_that_changes_later() -> None:
    up = [SeatToPlace(1, PLUS, MAX, at_once=True), SeatToPlace(2, MAX, ULTRA, at_once=True)]
    later = SeatToPlace(3, ULTRA, PLUS)
    assert place_seats([*up, later], {MAX: 1, ULTRA: 2}).plan_ids == {1: MAX, 2: ULTRA, 3: ULTRA}
    # And beside one that nothing was asked of.
    wishless = SeatToPlace(4, PLUS, at_once=True)
    placed = place_seats([*up, later, wishless], {PLUS: 1, MAX: 1, ULTRA: 2}).plan_ids
    assert placed == {1: MAX, 2: ULTRA, 3: ULTRA, 4: PLUS}


def test_seats_that_follow_each_other_at_once_do_so_beside_one_that_leaves_at_once() -> None:
    seats = [
        SeatToPlace(1, ULTRA, LEAVES, at_once=True),
        SeatToPlace(2, MAX, ULTRA, at_once=True),
        SeatToPlace(3, PLUS, MAX, at_once=True),
        SeatToPlace(4, PLUS, ULTRA),
    ]
    done = place_seats(seats, {PLUS: 1, MAX: 1, ULTRA: 1})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({2: ULTRA, 3: MAX, 4: PLUS}, [], [1])


def test_at_the_periods_end_seats_follow_each_other_beside_one_of_which_nothing_was_asked() -> None:
    seats = [SeatToPlace(1, PLUS, MAX), SeatToPlace(2, MAX, ULTRA), SeatToPlace(3, PLUS)]
    done = place_seats(seats, {PLUS: 1, MAX: 1, ULTRA: 1})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({1: MAX, 2: ULTRA, 3: PLUS}, [], [])


def test_a_seat_that_is_raised_beside_one_that_is_bought_is_the_one_that_was_named() -> None:
    done = place_seats([SeatToPlace(1, PLUS, MAX, held=True, at_once=True)], {PLUS: 1, MAX: 1})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({1: MAX}, [PLUS], [])


def test_a_seat_that_is_bought_beside_a_planned_downgrade_brings_nothing_forward() -> None:
    done = place_seats([SeatToPlace(1, MAX, PLUS, held=True)], {PLUS: 1, MAX: 1})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({1: MAX}, [PLUS], [])


def test_a_seat_that_is_to_leave_at_once_leaves_and_no_other() -> None:
    seats = [SeatToPlace(1, MAX, LEAVES), SeatToPlace(2, MAX, LEAVES, held=True, at_once=True)]
    before = place_seats(seats, {MAX: 2})  # Stripe bills it still
    assert (before.plan_ids, list(before.new), list(before.gone)) == ({1: MAX, 2: MAX}, [], [])
    done = place_seats(seats, {MAX: 1})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({1: MAX}, [], [2])


def test_what_is_planned_moves_nothing_by_itself() -> None:
    """What is planned for the period's end stands in the row long before Stripe bills it."""
    seats = [
        SeatToPlace(1, PLUS, wanted_plan_id=MAX),
        SeatToPlace(2, MAX, wanted_plan_id=PLUS),
        SeatToPlace(3, MAX, wanted_plan_id=LEAVES),
    ]
    assert place_seats(seats, {PLUS: 1, MAX: 2}).plan_ids == {1: PLUS, 2: MAX, 3: MAX}


def test_an_upgrade_beside_a_planned_downgrade_moves_only_the_one_that_is_billed() -> None:
    seats = [
        SeatToPlace(1, PLUS, wanted_plan_id=MAX),
        SeatToPlace(2, MAX, wanted_plan_id=PLUS),
        SeatToPlace(3, PLUS),
    ]
    assert place_seats(seats, {PLUS: 1, MAX: 2}).plan_ids == {1: MAX, 2: MAX, 3: PLUS}


def test_a_seat_that_is_to_move_now_gives_way_before_one_that_is_to_move_later() -> None:
    """Though somebody holds it and nobody holds the other."""
    seats = [
        SeatToPlace(1, PLUS, wanted_plan_id=MAX, held=True, at_once=True),
        SeatToPlace(2, PLUS, wanted_plan_id=ULTRA),
    ]
    assert place_seats(seats, {PLUS: 1, MAX: 1}).plan_ids == {1: MAX, 2: PLUS}


def test_of_two_that_want_one_seat_the_one_that_is_to_move_now_gets_it() -> None:
    seats = [
        SeatToPlace(1, PLUS, wanted_plan_id=MAX, held=True),
        SeatToPlace(2, PLUS, wanted_plan_id=MAX, at_once=True),
    ]
    assert place_seats(seats, {MAX: 1}).plan_ids == {2: MAX}


def test_seats_named_to_leave_go_first_then_free_ones_then_the_newest() -> None:
    seats = [
        SeatToPlace(1, MAX, held=True),
        SeatToPlace(2, MAX),
        SeatToPlace(3, MAX, wanted_plan_id=LEAVES, held=True),
        SeatToPlace(4, MAX, held=True),
    ]
    assert list(place_seats(seats, {MAX: 3}).gone) == [3]
    assert list(place_seats(seats, {MAX: 2}).gone) == [2, 3]
    assert list(place_seats(seats, {MAX: 1}).gone) == [2, 3, 4]
    assert list(place_seats(seats, {}).gone) == [1, 2, 3, 4]


def test_of_two_that_want_one_plan_the_one_that_is_to_change_at_once_gets_it() -> None:
    """Both are to change; the immediate one was paid for now, the other is planned for the period's end."""
    seats = [
        SeatToPlace(1, PLUS, wanted_plan_id=MAX, held=True),
        SeatToPlace(2, PLUS, wanted_plan_id=MAX, held=True, at_once=True),
    ]
    assert place_seats(seats, {PLUS: 1, MAX: 1}).plan_ids == {1: PLUS, 2: MAX}
    assert place_seats(seats, {ULTRA: 1, MAX: 1}).plan_ids == {1: ULTRA, 2: MAX}


def test_a_seat_that_gave_way_gets_the_lowest_plan_that_is_left() -> None:
    seats = [SeatToPlace(1, ULTRA, held=True), SeatToPlace(2, ULTRA, wanted_plan_id=LEAVES, held=True)]
    done = place_seats(seats, {MAX: 1, PLUS: 2})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({1: PLUS}, [PLUS, MAX], [2])


def test_whoever_is_to_change_at_once_gives_way_before_others_that_are_to_change() -> None:
    seats = [
        SeatToPlace(1, PLUS, wanted_plan_id=MAX, held=True, at_once=True),
        SeatToPlace(2, PLUS, wanted_plan_id=MAX, held=True),
    ]
    assert place_seats(seats, {PLUS: 1, ULTRA: 1}).plan_ids == {1: ULTRA, 2: PLUS}


def test_the_order_in_which_seats_are_given_decides_nothing() -> None:
    free, held = SeatToPlace(1, PLUS, wanted_plan_id=MAX), SeatToPlace(2, PLUS, wanted_plan_id=MAX, held=True)
    for seats in ([free, held], [held, free]):
        assert place_seats(seats, {MAX: 1, ULTRA: 1}).plan_ids == {1: ULTRA, 2: MAX}
    one, two = SeatToPlace(1, PLUS), SeatToPlace(2, PLUS)
    for seats in ([one, two], [two, one]):
        assert place_seats(seats, {PLUS: 1}).plan_ids == {1: PLUS}
        assert list(place_seats(seats, {}).gone) == [1, 2]


def test_a_plan_that_nobody_pays_for_has_no_room() -> None:
    done = place_seats([SeatToPlace(1, PLUS)], {PLUS: 0, MAX: 0})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({}, [], [1])


def test_a_change_made_at_stripe_without_us_moves_a_seat_rather_than_replacing_it() -> None:
    """An operator changed the plan in Stripe's own console: the holder keeps the seat and its usage."""
    done = place_seats([SeatToPlace(1, PLUS, held=True)], {ULTRA: 1})
    assert (done.plan_ids, list(done.new), list(done.gone)) == ({1: ULTRA}, [], [])


plans = st.sampled_from([PLUS, MAX, ULTRA])
seats_lists = st.lists(
    st.tuples(plans, st.one_of(st.none(), st.just(LEAVES), plans), st.booleans()), max_size=7
).map(lambda rows: [SeatToPlace(i, plan, wanted, held) for i, (plan, wanted, held) in enumerate(rows, 1)])
payments = st.dictionaries(plans, st.integers(0, 4))


@given(seats_lists, payments)
def test_there_are_always_exactly_the_seats_that_are_paid_for(
    seats: list[SeatToPlace], paid: dict[int, int]
) -> None:
    done = place_seats(seats, paid)
    assert Counter(done.plan_ids.values()) + Counter(done.new) == Counter(paid)
    assert sorted([*done.plan_ids, *done.gone]) == [seat.id for seat in seats]


@given(seats_lists, payments)
def test_as_many_seats_keep_their_plan_as_can(seats: list[SeatToPlace], paid: dict[int, int]) -> None:
    """By counting: of each plan as many stay as were there and are paid for. And none that is to stay
    gives way to one that is not, on its own plan. Unless what is paid for is just what was asked for."""
    done = place_seats(seats, paid)
    in_the_end = {seat.id: seat.wanted_plan_id or seat.plan_id for seat in seats}
    if Counter(plan for plan in in_the_end.values() if plan != LEAVES) == Counter(paid):
        staying = {id: plan for id, plan in in_the_end.items() if plan != LEAVES}
        assert done.plan_ids in (staying, {seat.id: seat.plan_id for seat in seats})
        return
    before = Counter(seat.plan_id for seat in seats)
    stayed = Counter(seat.plan_id for seat in seats if done.plan_ids.get(seat.id) == seat.plan_id)
    assert all(stayed[plan] == min(before[plan], paid.get(plan, 0)) for plan in before)

    def kept(seat: SeatToPlace) -> bool:
        return done.plan_ids.get(seat.id) == seat.plan_id

    for seat in seats:
        for other in seats:
            if (
                seat.plan_id == other.plan_id
                and seat.wanted_plan_id is None
                and other.wanted_plan_id is not None
            ):
                assert (
                    done.plan_ids.get(seat.id) == seat.plan_id or done.plan_ids.get(other.id) != seat.plan_id
                )


@given(seats_lists, payments)
def test_nobody_loses_a_seat_while_there_is_room_unless_it_was_given_up(
    seats: list[SeatToPlace], paid: dict[int, int]
) -> None:
    done = place_seats(seats, paid)
    gone = {seat.id: seat for seat in seats if seat.id in done.gone}
    assert not done.new or all(seat.wanted_plan_id == LEAVES for seat in gone.values())


@given(seats_lists, payments)
def test_sharing_out_twice_changes_nothing(seats: list[SeatToPlace], paid: dict[int, int]) -> None:
    once = place_seats(seats, paid)
    kept = [
        SeatToPlace(s.id, once.plan_ids[s.id], s.wanted_plan_id, s.held)
        for s in seats
        if s.id in once.plan_ids
    ]
    added = [SeatToPlace(100 + n, plan) for n, plan in enumerate(once.new)]
    again = place_seats([*kept, *added], paid)
    assert again.plan_ids == {seat.id: seat.plan_id for seat in [*kept, *added]}
    assert not again.new
    assert not again.gone
