"""What each charge says against what its usage costs on its rate card, and what its receipt says of windows.

The prices are worked out here from the rows of the rate card, in fractions, by code that shares nothing with
`quota.pricing`. All amounts are nano-dollars.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from uuid import UUID

from quota.packed_numbers import unpacked
from quota.selectors.reconcile.difference import Difference, rows_of

_CHARGES = """
SELECT v.id::text, v.is_undo, v.model, v.usage, v.rate_card_id, v.unpriced, v.amount_nanousd,
    v.from_quota_nanousd, v.overrun_nanousd, v.windows, v.plan_id,
    r.rate_card_id, card.id, r.from_quota_nanousd,
    r.from_quota_nanousd + r.from_credits_nanousd + r.from_balance_nanousd,
    r.charges_at IS NOT NULL
FROM quota_usageevent v LEFT JOIN quota_reservation r ON r.id = v.reservation_id
    LEFT JOIN LATERAL (
        SELECT c.id FROM quota_ratecard c WHERE c.effective_from <= v.occurred_at AND c.withdrawn_at IS NULL
        ORDER BY c.effective_from DESC LIMIT 1
    ) card ON true
WHERE v.id > %(after)s AND v.id <= %(upto)s
    AND (v.reservation_id IS NULL OR v.reservation_id >= %(holds_from)s)
ORDER BY v.id
"""
_USAGE = 3  # comes as JSON
# A receipt keeps of each window of its plan, in this order: used, held, and three about time. First as they
# were before the charge, then how much each is more after it.
_NUMBERS = 5

# (over, unit size, nano-dollars) of each meter of a model.
Tiers = dict[str, list[tuple[int, int, int]]]


@dataclass(frozen=True, slots=True)
class _Limit:
    name: str
    policy: str
    nanousd: int


@dataclass(slots=True)
class _Terms:
    """Rate cards and limits of plans, each read once. Neither changes once it is used."""

    _cards: dict[int, dict[str, Tiers]] = field(default_factory=dict)
    _plans: dict[int, list[_Limit]] = field(default_factory=dict)

    def card(self, card_id: int) -> Mapping[str, Tiers]:
        """The prices of each model."""
        if card_id not in self._cards:
            models: dict[str, Tiers] = {}
            for model, meter, *tier in rows_of(_PRICES, card=card_id):
                over, unit_size, nanousd = tier
                models.setdefault(model, {}).setdefault(meter, []).append((over, unit_size, nanousd))
            self._cards[card_id] = models
        return self._cards[card_id]

    def limits(self, plan_id: int) -> Sequence[_Limit]:
        """Those of a plan, in the order in which receipts keep its windows."""
        if plan_id not in self._plans:
            self._plans[plan_id] = [_Limit(*row) for row in rows_of(_LIMITS, plan=plan_id)]
        return self._plans[plan_id]


_PRICES = """
SELECT model, meter, context_over, unit_size, nanousd_per_unit FROM quota_ratecardprice
WHERE card_id = %(card)s AND meter <> 'default_hold'
"""
_LIMITS = """
SELECT name, policy, limit_nanousd FROM quota_planlimit WHERE plan_id = %(plan)s ORDER BY length_seconds, name
"""


@dataclass(frozen=True, slots=True)
class _Charged:
    """A charge as its row says, and what it is judged by: the card and the parts of its hold, if it has one,
    or the card that was in force when it occurred.
    """

    id: str
    is_undo: bool
    model: str
    usage: Mapping[str, int]
    rate_card: int
    unpriced: bool
    amount: int
    from_quota: int
    overrun: int
    windows: bytes
    plan_id: int | None
    card_of_hold: int | None
    card_in_force: int | None
    quota_held: int | None
    held: int | None
    charges_hold: bool

    @property
    def card_id(self) -> int | None:
        return self.card_of_hold or self.card_in_force


def differences_of_charges(after: UUID, upto: UUID, holds_from: UUID) -> Iterator[Difference]:
    """Of the charges with ids above `after`, up to `upto`; not those whose hold is no longer kept."""
    terms = _Terms()
    for row in rows_of(_CHARGES, after=after, upto=upto, holds_from=holds_from):
        charged = _Charged(*(json.loads(v) if n == _USAGE else v for n, v in enumerate(row)))
        yield from _of_card(charged)
        yield from _of_cost(charged, terms)
        yield from _of_windows(charged, terms)


def _of_card(charged: _Charged) -> Iterator[Difference]:
    if charged.rate_card != charged.card_id:
        about = f"rate card of event {charged.id}"
        yield Difference(about, str(charged.card_id), str(charged.rate_card))


def _of_cost(charged: _Charged, terms: _Terms) -> Iterator[Difference]:
    if not charged.usage and charged.charges_hold:
        # What nobody had reported at the end of its hold: no price, and no more than was held.
        held = charged.held or 0
        if abs(charged.amount) > held:
            yield Difference(f"amount of event {charged.id}", f"at most {held}", str(charged.amount))
        return
    card = terms.card(charged.card_id) if charged.card_id else {}
    cost = cost_of(charged.usage, card.get(charged.model))
    if cost is None:
        about = f"model of event {charged.id}"
        yield Difference(about, f"one of rate card {charged.card_id}", charged.model)
        return
    if cost.unpriced != charged.unpriced:
        about = f"whether all of event {charged.id} has a price"
        yield Difference(about, str(not cost.unpriced), str(not charged.unpriced))
    amount = -cost.amount if charged.is_undo else cost.amount
    if amount != charged.amount:
        yield Difference(f"amount of event {charged.id}", str(amount), str(charged.amount))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a usage costs; whether something of it has no price."""

    amount: int
    unpriced: bool


# All input decides the tier, and what the cache has is input unless it has a price (docs/rules.md).
_CACHED = ("cache_read_tokens", "cache_write_tokens")
_HALF = Fraction(1, 2)


def cost_of(usage: Mapping[str, int], tiers: Tiers | None) -> Cost | None:
    """What `usage` (meter to quantity) of a model with these prices costs; None where it has none. Exact in
    fractions, then rounded once, half up.
    """
    if tiers is None:
        return None
    size = usage.get("input_tokens", 0) + sum(usage.get(meter, 0) for meter in _CACHED)
    total, unpriced = Fraction(0), False
    for meter, quantity in usage.items():
        tier = _tier(tiers.get(meter, ()), size)
        if tier is None and meter in _CACHED:
            tier = _tier(tiers.get("input_tokens", ()), size)
        if tier is None:
            unpriced = unpriced or quantity > 0
            continue
        _, unit_size, nanousd = tier
        total += Fraction(quantity * nanousd, unit_size)
    return Cost(floor(total + _HALF), unpriced)


def _tier(tiers: Sequence[tuple[int, int, int]], size: int) -> tuple[int, int, int] | None:
    """Of tiers (over, unit size, nano-dollars), the last one that the size is over; the first is for all."""
    return max((tier for tier in tiers if tier[0] == 0 or tier[0] < size), default=None)


def _of_windows(charged: _Charged, terms: _Terms) -> Iterator[Difference]:
    """The receipt has a window of each limit of the plan; the charge is what lies between before and after;
    and quota has paid no more than there was room for, or was held.
    """
    limits = terms.limits(charged.plan_id) if charged.plan_id else ()
    expected = _NUMBERS * len(limits)
    about = f"numbers of the windows of event {charged.id}"
    try:
        numbers = unpacked(charged.windows)
    except ValueError:
        yield Difference(about, str(2 * expected), "something else")
        return
    if len(numbers) != 2 * expected:
        yield Difference(about, str(2 * expected), str(len(numbers)))
        return
    in_window = charged.from_quota + charged.overrun
    before, more = numbers[:expected], numbers[expected:]
    for limit, used, used_more in zip(limits, before[::_NUMBERS], more[::_NUMBERS], strict=True):
        # Around the moment of a charge that is undone may stand another first_use window than its own.
        moved = charged.is_undo and limit.policy == "first_use"
        if used_more != in_window and not moved:
            about = f"{limit.name} window after event {charged.id}"
            yield Difference(about, f"{used + in_window} used", f"{used + used_more} used")
    yield from _of_room(charged, limits, before)


def _of_room(charged: _Charged, limits: Sequence[_Limit], before: Sequence[int]) -> Iterator[Difference]:
    if charged.is_undo or not limits:
        return
    # What the call itself held is counted as held, and pays for it.
    counts = 0 if charged.quota_held is not None else 1
    windows = zip(limits, before[::_NUMBERS], before[1::_NUMBERS], strict=True)
    room = min(limit.nanousd - used - counts * held for limit, used, held in windows)
    most = max(room, charged.quota_held or 0, 0)
    if charged.from_quota > most:
        yield Difference(f"quota part of event {charged.id}", f"at most {most}", str(charged.from_quota))
