"""Which seat has which plan, when Stripe says how many seats of each plan are paid for. Pure.

Seats move as little as possible, and first those that the Owner named: quota belongs to the seat, so a seat
that is not concerned keeps its plan, its holder and its usage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEAVES = -1


@dataclass(frozen=True, slots=True)
class SeatToAllot:
    """A seat on a plan (`plan`, an id). `wish`: the plan it is to change to, LEAVES, or None to stay.

    `at_once`: the wish is for now, not for the period's end. `held`: somebody holds it.
    """

    id: int
    plan: int
    wish: int | None = None
    held: bool = False
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Allotment:
    """`plans`: every seat that stays, and its plan; `new`: plans of seats to add; `gone`: seats to take."""

    plans: Mapping[int, int]
    new: Sequence[int]
    gone: Sequence[int]


def allot(seats: Sequence[SeatToAllot], paid: Mapping[int, int]) -> Allotment:
    """Shares out `paid` (plan id to number of seats) among the seats.

    1. A seat keeps its plan while there is room. Where there are more seats than room, those that are to
       change at once give way first, then those wishing to leave or to change, then free ones, then the
       newest.
    2. Who gave way gets the plan wished for, where there is room.
    3. Who gave way without a wish to leave gets what room is left, in order of plan id.
    4. What room is left then is new seats; seats left over are gone.
    """
    room = {plan: count for plan, count in paid.items() if count > 0}
    plans: dict[int, int] = {}
    for seat in sorted(seats, key=_stays_first):
        if room.get(seat.plan, 0) > 0:
            _place(seat, seat.plan, plans, room)
    gave_way = [seat for seat in sorted(seats, key=_stays_first) if seat.id not in plans]
    for seat in sorted(gave_way, key=lambda seat: not seat.at_once):
        if seat.wish is not None and room.get(seat.wish, 0) > 0:
            _place(seat, seat.wish, plans, room)
    for seat in gave_way:
        left = sorted(plan for plan, count in room.items() if count > 0)
        if seat.id not in plans and seat.wish != LEAVES and left:
            _place(seat, left[0], plans, room)
    return Allotment(
        plans=plans,
        new=[plan for plan in sorted(room) for _ in range(room[plan])],
        gone=sorted(seat.id for seat in seats if seat.id not in plans),
    )


def _stays_first(seat: SeatToAllot) -> tuple[bool, bool, bool, int]:
    return seat.at_once, seat.wish is not None, not seat.held, seat.id


def _place(seat: SeatToAllot, plan: int, plans: dict[int, int], room: dict[int, int]) -> None:
    plans[seat.id] = plan
    room[plan] -= 1
