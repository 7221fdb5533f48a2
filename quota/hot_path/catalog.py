"""Plan versions and rate cards as values, for the hot path and for everyone who shows them.

Both are immutable in the database (by trigger), so each is read once a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from quota.models import Plan, RateCard, Reservation, UsageEvent
from quota.pricing import DEFAULT_HOLD, Card, ModelPrices, Price
from quota.stored_windows import windows_of
from quota.windows import Limit, QuotaWindow


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a plan version allows."""

    id: int
    code: str
    version: int
    name: str
    rank: int
    agents: tuple[int, int]
    agents_enforced: bool
    limits: tuple[Limit, ...]


@lru_cache(maxsize=256)
def plan_terms(plan_id: int) -> PlanTerms:
    """The terms of a plan version that a seat is, or was, entitled to: its limits cannot change then."""
    plan = Plan.objects.prefetch_related("limits").get(pk=plan_id)
    return PlanTerms(
        plan.pk,
        plan.code,
        plan.version,
        plan.name,
        plan.rank,
        (plan.agents_min, plan.agents_max),
        plan.agents_enforced,
        tuple(limit.limit for limit in plan.limits.all()),
    )


def limits_of(plan_id: int | None) -> tuple[Limit, ...]:
    """The limits of a plan version, in the order in which windows are stored and shown; none of no plan."""
    return plan_terms(plan_id).limits if plan_id else ()


def windows_then(hold: Reservation) -> list[QuotaWindow]:
    """The windows that its authorize was answered with. Raises ValueError once it is settled."""
    return windows_of(limits_of(hold.plan_id), hold.windows)[0]


def windows_around(charge: UsageEvent) -> tuple[list[QuotaWindow], list[QuotaWindow]]:
    """The windows just before the charge, and just after it."""
    before, after = windows_of(limits_of(charge.plan_id), charge.windows, states=2)
    return before, after


@lru_cache(maxsize=16)
def rate_card(card_id: int) -> Card:
    """A rate card with all its prices, default holds and aliases."""
    card = RateCard.objects.prefetch_related("prices", "aliases").get(pk=card_id)
    prices: dict[str, list[Price]] = {}
    modalities: dict[str, str] = {}
    holds: dict[str, int] = {}
    for row in card.prices.all():
        if row.meter == DEFAULT_HOLD:
            holds[row.model] = row.nanousd_per_unit
            continue
        prices.setdefault(row.model, []).append(
            Price(row.meter, row.unit_size, row.nanousd_per_unit, row.context_over)
        )
        modalities[row.model] = row.modality
    models = {
        name: ModelPrices(name, modalities[name], tuple(of_model), holds.get(name))
        for name, of_model in prices.items()
    }
    return Card(card_id, card.effective_from, models, {row.alias: row.model for row in card.aliases.all()})


def prices_then(card_id: int, model: str, usage: Mapping[str, int]) -> list[Price]:
    """The prices that a charge by this rate card came from, in the order of their meters. Neither the card
    nor the charge ever changes. Of what nobody reported, and so is charged as it was held, there are none.
    """
    found = rate_card(card_id).find(model) if usage else None
    return [price for price in found.used(usage).values() if price] if found else []
