"""What an Owner's wish means for a subscription: what is billed at once, and what from the next period on.
Pure.

Up, and more, is at once; down, and less, is at the period's end (product.md, Plans and seats).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from billing.allotment import LEAVES
from billing.errors import ChangeInProgress, NothingToChange, NotOnSale
from tokenplan.kit.errors import InvalidValue, NotFound

ADD, MOVE, GIVE_UP, KEEP, INTERVAL, CANCEL, RESUME = KINDS = (
    "add",
    "move",
    "give_up",
    "keep",
    "interval",
    "cancel",
    "resume",
)
MAX_SEATS = 1_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. add: `count` seats of `plan`. move: `seats` to `plan`. give_up, keep: `seats`;
    keep takes back what was planned for them. interval: bill by `interval`. Plans and seats are ids.
    """

    kind: str
    plan: int | None = None
    count: int = 0
    seats: tuple[int, ...] = ()
    interval: str = ""


@dataclass(frozen=True, slots=True)
class SeatPlanned:
    """A paid seat: its plan, and what is planned for the period's end: a plan, LEAVES or None."""

    id: int
    plan: int
    planned: int | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """What is billed: plan to number of seats, by month or year."""

    seats: Mapping[int, int]
    interval: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`now` differs from what is billed today where the wish acts at once. `moves`: seats that change plan at
    once. `seats`: all of them, with what is planned after the wish. `next_interval`: empty for no change."""

    now: Bill
    later: Bill
    moves: Mapping[int, int]
    seats: tuple[SeatPlanned, ...]
    next_interval: str


def billed(seats: Sequence[SeatPlanned], interval: str) -> Bill:
    """What is billed today."""
    return Bill(Counter(seat.plan for seat in seats), interval)


def billed_later(seats: Sequence[SeatPlanned], interval: str) -> Bill:
    """What is to be billed from the next period on."""
    after = (seat.plan if seat.planned is None else seat.planned for seat in seats)
    return Bill(Counter(plan for plan in after if plan != LEAVES), interval)


def outcome(
    wish: Wish, seats: Sequence[SeatPlanned], interval: str, next_interval: str, cost: Mapping[int, int]
) -> Outcome:
    """What the wish makes of the subscription. `cost` is what a seat of a plan costs by `interval`.

    Raises NothingToChange, NotFound for a seat that is not among them, InvalidValue, ChangeInProgress,
    NotOnSale for a plan without a cost.
    """
    before, planned_before = tuple(seats), billed_later(seats, next_interval or interval)
    moves: dict[int, int] = {}
    now, extra = interval, Counter[int]()
    if wish.kind == ADD:
        if wish.plan is None or not 0 < wish.count <= MAX_SEATS - len(before):
            raise InvalidValue(f"A Team has up to {MAX_SEATS} seats; add at least one", pointer="/count")
        extra[wish.plan] = wish.count
    elif wish.kind == INTERVAL:
        now, next_interval = _switched(wish.interval, interval, before)
    else:
        seats, moves = _wished(wish, before, cost)
    outcome = Outcome(
        now=Bill(Counter(moves.get(seat.id, seat.plan) for seat in seats) + extra, now),
        later=_with(billed_later(seats, next_interval or now), extra, moves, seats),
        moves=moves,
        seats=tuple(seats),
        next_interval=next_interval,
    )
    if not outcome.later.seats:
        raise InvalidValue("No seat would be left; cancel the subscription instead", pointer="/seats")
    unchanged = (outcome.now, outcome.later) == (billed(before, interval), planned_before)
    if unchanged and outcome.seats == before:
        raise NothingToChange
    return outcome


def _switched(wanted: str, interval: str, seats: Sequence[SeatPlanned]) -> tuple[str, str]:
    """The interval from now on, and from the next period on where that differs."""
    if wanted not in ("month", "year"):
        raise InvalidValue("Choose month or year", pointer="/interval")
    if wanted == "year" and interval == "month":
        if any(seat.planned is not None for seat in seats):
            raise ChangeInProgress("Changes are planned for the period's end; take them back first.")
        return "year", ""
    return interval, wanted if wanted != interval else ""


def _wished(
    wish: Wish, seats: Sequence[SeatPlanned], cost: Mapping[int, int]
) -> tuple[Sequence[SeatPlanned], dict[int, int]]:
    """The seats with what is planned for them now, and those that move at once."""
    named, to = set(wish.seats), wish.plan
    if not named:
        raise InvalidValue("Name a seat", pointer="/seats")
    if named - {seat.id for seat in seats}:
        raise NotFound("There is no such seat among those of the subscription.")
    if wish.kind == MOVE and to is None:
        raise InvalidValue("Name a plan", pointer="/plan")
    after: list[SeatPlanned] = []
    moves: dict[int, int] = {}
    down = False
    for seat in seats:
        planned = seat.planned
        if seat.id in named:
            planned = LEAVES if wish.kind == GIVE_UP else None
            if wish.kind == MOVE and to is not None and to != seat.plan:
                if _cost(to, cost) >= _cost(seat.plan, cost):
                    moves[seat.id] = to
                else:
                    planned, down = to, True
        after.append(replace(seat, planned=planned))
    if moves and down:
        raise InvalidValue(
            "Some of these seats move up, at once, others down, at the period's end: ask for each apart",
            pointer="/seats",
        )
    return after, moves


def _cost(plan: int, cost: Mapping[int, int]) -> int:
    if plan not in cost:
        raise NotOnSale("This plan has no price by that interval.")
    return cost[plan]


def _with(later: Bill, extra: Counter[int], moves: Mapping[int, int], seats: Sequence[SeatPlanned]) -> Bill:
    """What is added, or moved at once, is so from the next period on too."""
    count = Counter(later.seats) + extra
    for seat in seats:
        if seat.id in moves:
            count[seat.plan] -= 1
            count[moves[seat.id]] += 1
    return Bill(+count, later.interval)
