"""What an Owner can ask of a subscription, and what each request means for the bill. Pure.

More, and dearer, is at once; less, and cheaper, is at the period's end. Canceling and resuming are not here:
they change no bill (`workflows/cancellations.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from billing.errors import ChangeInProgress, NothingToChange, NotOnSale
from billing.seat_plans import LEAVES
from tokenplan.kit.errors import InvalidValue, NotFound

MAX_SEATS = 1_000
MONTH, YEAR = "month", "year"


@dataclass(frozen=True, slots=True)
class PlannedSeat:
    """A paid seat: its plan, and what is planned for the period's end: another plan, LEAVES, or None."""

    id: int
    plan_id: int
    next_plan_id: int | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """What is billed: plan id to number of seats, by month or year."""

    seats: Mapping[int, int]
    interval: str


@dataclass(frozen=True, slots=True)
class Terms:
    """A subscription before a change. `next_interval` is empty unless another interval is planned.
    `seat_costs`: plan id to what a seat of it costs by `interval`.
    """

    seats: tuple[PlannedSeat, ...]
    interval: str
    next_interval: str
    seat_costs: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class BillChange:
    """What a request makes of a subscription.

    `now` is what is billed at once, `later` what is billed from the next period on. `moves`: seat id to plan
    id, of seats that change plan at once; `added`: plan id to number of new seats. `seats`: all that there
    were, with what is planned for them afterwards; `named`: ids of those that the request names.
    """

    terms: Terms
    now: Bill
    later: Bill
    seats: tuple[PlannedSeat, ...]
    next_interval: str
    moves: Mapping[int, int]
    added: Mapping[int, int]
    named: frozenset[int]

    @property
    def at_once(self) -> bool:
        """Is another bill due now? Else nothing is asked of Stripe but its schedule."""
        return self.now != bill_now(self.terms.seats, self.terms.interval)

    @property
    def plans_ahead(self) -> bool:
        """Is anything but the renewal planned for the period's end, before the change or after it?"""
        terms = self.terms
        before = bill_later(terms.seats, terms.next_interval or terms.interval)
        return before != bill_now(terms.seats, terms.interval) or self.later != self.now


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a request asks for, before it is put on the bill."""

    seats: tuple[PlannedSeat, ...]
    interval: str
    next_interval: str
    moves: Mapping[int, int] = field(default_factory=dict)
    added: Mapping[int, int] = field(default_factory=dict)
    named: frozenset[int] = frozenset()


class ChangeRequest(ABC):
    """One of the requests below."""

    __slots__ = ()
    kind: ClassVar[str]

    def as_json(self) -> dict[str, Any]:
        """The same for equal requests, in whatever order their seats were named: a repeat is known by it."""
        values = {
            name: sorted(set(value)) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()  # type: ignore[call-overload]  # each is a dataclass
        }
        return {"kind": self.kind, **values}

    def bill_change(self, terms: Terms) -> BillChange:
        """What the request makes of a subscription on these terms.

        Raises NothingToChange, NotFound for a seat that is not among them, InvalidValue, ChangeInProgress,
        NotOnSale for a plan without a cost.
        """
        wanted = self._wanted(terms)
        counted = Counter(wanted.moves.get(seat.id, seat.plan_id) for seat in wanted.seats)
        change = BillChange(
            terms=terms,
            now=Bill(counted + Counter(wanted.added), wanted.interval),
            later=_later(wanted),
            seats=wanted.seats,
            next_interval=wanted.next_interval,
            moves=wanted.moves,
            added=wanted.added,
            named=wanted.named,
        )
        if not change.later.seats:
            raise InvalidValue("No seat would be left; cancel the subscription instead", pointer="/seats")
        planned = bill_later(terms.seats, terms.next_interval or terms.interval)
        if not change.at_once and change.later == planned and change.seats == terms.seats:
            raise NothingToChange
        return change

    @abstractmethod
    def _wanted(self, terms: Terms) -> _Wanted: ...


@dataclass(frozen=True, slots=True)
class AddSeats(ChangeRequest):
    """`count` more seats of a plan, at once."""

    kind: ClassVar[str] = "add"
    plan_id: int
    count: int

    def _wanted(self, terms: Terms) -> _Wanted:
        if not 0 < self.count <= MAX_SEATS - len(terms.seats):
            raise InvalidValue(f"A Team has up to {MAX_SEATS} seats; add at least one", pointer="/count")
        return _Wanted(
            terms.seats, terms.interval, terms.next_interval, added=Counter({self.plan_id: self.count})
        )


@dataclass(frozen=True, slots=True)
class MoveSeats(ChangeRequest):
    """These seats to another plan: at once where it costs as much or more, else at the period's end. What
    was planned for them before is taken back.
    """

    kind: ClassVar[str] = "move"
    plan_id: int
    seat_ids: tuple[int, ...]

    def _wanted(self, terms: Terms) -> _Wanted:
        named = _named(self.seat_ids, terms)
        moves: dict[int, int] = {}
        planned: dict[int, int | None] = {}
        for seat in terms.seats:
            if seat.id in named:
                down = self.plan_id != seat.plan_id and self._is_cheaper(seat, terms.seat_costs)
                planned[seat.id] = self.plan_id if down else None
                if self.plan_id != seat.plan_id and not down:
                    moves[seat.id] = self.plan_id
        if moves and any(plan_id is not None for plan_id in planned.values()):
            raise InvalidValue(
                "Some of these seats move up, at once, others down, at the period's end: ask for each apart",
                pointer="/seats",
            )
        after = _planned(terms, planned)
        return _Wanted(after, terms.interval, terms.next_interval, moves=moves, named=named)

    def _is_cheaper(self, seat: PlannedSeat, seat_costs: Mapping[int, int]) -> bool:
        return _cost(self.plan_id, seat_costs) < _cost(seat.plan_id, seat_costs)


@dataclass(frozen=True, slots=True)
class GiveUpSeats(ChangeRequest):
    """These seats end with the period."""

    kind: ClassVar[str] = "give_up"
    seat_ids: tuple[int, ...]

    def _wanted(self, terms: Terms) -> _Wanted:
        named = _named(self.seat_ids, terms)
        after = _planned(terms, dict.fromkeys(named, LEAVES))
        return _Wanted(after, terms.interval, terms.next_interval, named=named)


@dataclass(frozen=True, slots=True)
class KeepSeats(ChangeRequest):
    """These seats stay as they are: what was planned for them is taken back."""

    kind: ClassVar[str] = "keep"
    seat_ids: tuple[int, ...]

    def _wanted(self, terms: Terms) -> _Wanted:
        named = _named(self.seat_ids, terms)
        after = _planned(terms, dict.fromkeys(named))
        return _Wanted(after, terms.interval, terms.next_interval, named=named)


@dataclass(frozen=True, slots=True)
class SwitchInterval(ChangeRequest):
    """By the year from now on, or by the month from the next period on."""

    kind: ClassVar[str] = "interval"
    interval: str

    def _wanted(self, terms: Terms) -> _Wanted:
        if self.interval not in (MONTH, YEAR):
            raise InvalidValue("Choose month or year", pointer="/interval")
        if (terms.interval, self.interval) == (MONTH, YEAR):
            if any(seat.next_plan_id is not None for seat in terms.seats):
                raise ChangeInProgress("Changes are planned for the period's end; take them back first.")
            return _Wanted(terms.seats, YEAR, "")
        return _Wanted(terms.seats, terms.interval, self.interval if self.interval != terms.interval else "")


def bill_now(seats: Sequence[PlannedSeat], interval: str) -> Bill:
    """What is billed for these seats today."""
    return Bill(Counter(seat.plan_id for seat in seats), interval)


def bill_later(seats: Sequence[PlannedSeat], interval: str) -> Bill:
    """What is billed for these seats from the next period on."""
    after = (seat.plan_id if seat.next_plan_id is None else seat.next_plan_id for seat in seats)
    return Bill(Counter(plan_id for plan_id in after if plan_id != LEAVES), interval)


def _later(wanted: _Wanted) -> Bill:
    """What is added, or moved at once, is so from the next period on too."""
    moved = [replace(seat, plan_id=wanted.moves.get(seat.id, seat.plan_id)) for seat in wanted.seats]
    later = bill_later(moved, wanted.next_interval or wanted.interval)
    return Bill(Counter(later.seats) + Counter(wanted.added), later.interval)


def _named(seat_ids: tuple[int, ...], terms: Terms) -> frozenset[int]:
    named = frozenset(seat_ids)
    if not named:
        raise InvalidValue("Name a seat", pointer="/seats")
    if named - {seat.id for seat in terms.seats}:
        raise NotFound("There is no such seat among those of the subscription.")
    return named


def _planned(terms: Terms, planned: Mapping[int, int | None]) -> tuple[PlannedSeat, ...]:
    """The seats, with this planned for those that are named."""
    return tuple(
        replace(seat, next_plan_id=planned[seat.id]) if seat.id in planned else seat for seat in terms.seats
    )


def _cost(plan_id: int, seat_costs: Mapping[int, int]) -> int:
    if plan_id not in seat_costs:
        raise NotOnSale("This plan has no price by that interval.")
    return seat_costs[plan_id]
