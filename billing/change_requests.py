"""What an Owner can ask of a subscription, and what each request means for the bill. Pure.

What costs more happens at once; what costs less happens at the period's end. Canceling and resuming are not
here, since they change no bill (`workflows/cancellations.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from django.utils.translation import gettext as _

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
    `seat_costs`: plan id to the price of one seat for one `interval`, in nano-dollars.
    """

    seats: tuple[PlannedSeat, ...]
    interval: str
    next_interval: str
    seat_costs: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class BillChange:
    """What a request does to a subscription.

    `now` is billed at once, `later` from the next period on. `moves`: the seats that change plan at once,
    seat id to plan id. `added`: the new seats, plan id to number. `seats`: the seats from before the change,
    with what is planned for them after it. `named`: ids of the seats that the request names.
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
        """Does the bill change now? If not, only the schedule changes at Stripe."""
        return self.now != bill_now(self.terms.seats, self.terms.interval)

    @property
    def plans_ahead(self) -> bool:
        """Is anything but the renewal planned for the period's end, before the change or after it?"""
        terms = self.terms
        before = bill_later(terms.seats, terms.next_interval or terms.interval)
        return before != bill_now(terms.seats, terms.interval) or self.later != self.now


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a request asks for, before the bills are computed."""

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
        """Equal for equal requests, in whatever order they name their seats; a repeat is recognised by it."""
        values = {
            name: sorted(set(value)) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()  # type: ignore[call-overload]  # each is a dataclass
        }
        return {"kind": self.kind, **values}

    def bill_change(self, terms: Terms) -> BillChange:
        """What the request does to a subscription on these terms.

        Raises NothingToChange, InvalidValue, ChangeInProgress; NotFound for a seat that the subscription does
        not have; NotOnSale for a plan without a price.
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
            raise InvalidValue(_("No seat would be left; cancel the subscription instead"), pointer="/seats")
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
            refused = _("Add at least 1 seat; a Team has at most %(most)s seats") % {"most": MAX_SEATS}
            raise InvalidValue(refused, pointer="/count")
        return _Wanted(
            terms.seats, terms.interval, terms.next_interval, added=Counter({self.plan_id: self.count})
        )


@dataclass(frozen=True, slots=True)
class MoveSeats(ChangeRequest):
    """These seats move to another plan: at once if it costs as much or more, else at the period's end. What
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
                _(
                    "Some of these seats would move to a dearer plan at once, others to a cheaper one at the "
                    "period's end; choose them separately"
                ),
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
    """From monthly to yearly, now; or from yearly to monthly, from the next period on."""

    kind: ClassVar[str] = "interval"
    interval: str

    def _wanted(self, terms: Terms) -> _Wanted:
        if self.interval not in (MONTH, YEAR):
            raise InvalidValue(_("Choose month or year"), pointer="/interval")
        if (terms.interval, self.interval) == (MONTH, YEAR):
            if any(seat.next_plan_id is not None for seat in terms.seats):
                planned = _("Changes are planned for the period's end; take them back first.")
                raise ChangeInProgress(planned)
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
    """The bill from the next period on; it includes what is added or moved now."""
    moved = [replace(seat, plan_id=wanted.moves.get(seat.id, seat.plan_id)) for seat in wanted.seats]
    later = bill_later(moved, wanted.next_interval or wanted.interval)
    return Bill(Counter(later.seats) + Counter(wanted.added), later.interval)


def _named(seat_ids: tuple[int, ...], terms: Terms) -> frozenset[int]:
    named = frozenset(seat_ids)
    if not named:
        raise InvalidValue(_("Choose at least one seat"), pointer="/seats")
    if named - {seat.id for seat in terms.seats}:
        raise NotFound(_("The subscription has no such seat."))
    return named


def _planned(terms: Terms, planned: Mapping[int, int | None]) -> tuple[PlannedSeat, ...]:
    """The seats of the terms, with the plans of `planned` (seat id to next plan id) for those in it."""
    return tuple(
        replace(seat, next_plan_id=planned[seat.id]) if seat.id in planned else seat for seat in terms.seats
    )


def _cost(plan_id: int, seat_costs: Mapping[int, int]) -> int:
    if plan_id not in seat_costs:
        raise NotOnSale(_("This plan cannot be paid by that interval."))
    return seat_costs[plan_id]
