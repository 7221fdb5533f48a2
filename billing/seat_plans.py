"""Which seat has which plan, when Stripe says how many seats of each plan are paid for. Pure.

Seats move as little as possible, and first those that the Owner named: quota belongs to the seat, so a seat
that is not concerned keeps its plan, its holder and its usage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# In place of a plan's id: the seat is given up, or taken away.
LEAVES = -1


@dataclass(frozen=True, slots=True)
class SeatToPlace:
    """A seat on a plan. `wanted_plan_id`: the plan it is to change to, LEAVES, or None to stay.

    `at_once`: it is to change or to leave now, not at the period's end. `held`: somebody holds it.
    """

    id: int
    plan_id: int
    wanted_plan_id: int | None = None
    held: bool = False
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class SeatPlans:
    """`plan_ids`: every seat that stays, and its plan; `new`: plan ids of seats to add; `gone`: seats to take
    away.
    """

    plan_ids: Mapping[int, int]
    new: Sequence[int]
    gone: Sequence[int]


def place_seats(seats: Sequence[SeatToPlace], paid: Mapping[int, int]) -> SeatPlans:
    """Shares out `paid` (plan id to number of seats) among the seats.

    What was asked for is done seat by seat where that is what is paid for: first what is to change at once;
    at the period's end, when the seats as they stand are not what is paid for, all of it. Else:

    1. A seat keeps its plan while there is room. Where there are more seats than room, those that are to
       change at once give way first, then those that are to leave or to change later, then free ones, then
       the newest.
    2. A seat that gave way gets the plan wanted for it, where there is room.
    3. A seat that gave way and is not to leave gets what room is left, in order of plan id.
    4. What room is left then is new seats; seats left over are gone.
    """
    room = dict(paid)
    asked = _as_asked(seats, room)
    placed: dict[int, int] = {}
    for seat_id, plan_id in asked.items():
        _place(seat_id, plan_id, placed, room)
    if not asked:
        _share_out(seats, placed, room)
    return SeatPlans(
        plan_ids=placed,
        new=[plan_id for plan_id in sorted(room) for _ in range(room[plan_id])],
        gone=sorted(seat.id for seat in seats if seat.id not in placed),
    )


def _as_asked(seats: Sequence[SeatToPlace], room: Mapping[int, int]) -> dict[int, int]:
    """The plan of each seat that stays, if what was asked for is what is paid for; else nothing.

    Without it a seat whose plan another seat is to get, as in Plus to Max beside Max to Ultra, would keep it.
    """
    now = {seat.id: seat.plan_id for seat in seats}
    at_once = _staying(
        now | {seat.id: seat.wanted_plan_id for seat in seats if seat.at_once and seat.wanted_plan_id}
    )
    if Counter(at_once.values()) == Counter(room):
        return at_once
    for asked in (at_once, now):
        # What is bought beside it is new seats; beside seats that leave at once nothing is.
        if len(asked) == len(now) and Counter(asked.values()) <= Counter(room):
            return asked
    in_the_end = _staying({seat.id: seat.wanted_plan_id or seat.plan_id for seat in seats})
    return in_the_end if Counter(in_the_end.values()) == Counter(room) else {}


def _staying(plan_ids: Mapping[int, int]) -> dict[int, int]:
    return {seat_id: plan_id for seat_id, plan_id in plan_ids.items() if plan_id != LEAVES}


def _share_out(seats: Sequence[SeatToPlace], placed: dict[int, int], room: dict[int, int]) -> None:
    for seat in sorted(seats, key=_stays_first):
        if room.get(seat.plan_id, 0) > 0:
            _place(seat.id, seat.plan_id, placed, room)
    gave_way = [seat for seat in sorted(seats, key=_stays_first) if seat.id not in placed]
    for seat in sorted(gave_way, key=lambda seat: not seat.at_once):
        if seat.wanted_plan_id is not None and room.get(seat.wanted_plan_id, 0) > 0:
            _place(seat.id, seat.wanted_plan_id, placed, room)
    for seat in gave_way:
        left = sorted(plan_id for plan_id, count in room.items() if count > 0)
        if seat.id not in placed and seat.wanted_plan_id != LEAVES and left:
            _place(seat.id, left[0], placed, room)


def _stays_first(seat: SeatToPlace) -> tuple[bool, bool, bool, int]:
    return seat.at_once, seat.wanted_plan_id is not None, not seat.held, seat.id


def _place(seat_id: int, plan_id: int, placed: dict[int, int], room: dict[int, int]) -> None:
    placed[seat_id] = plan_id
    room[plan_id] -= 1
