"""The models, what a typical call of each costs, and what part of each plan's windows it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quota.models import Plan
from quota.pricing import Price
from quota.selectors.rate_cards import models_in_force
from quota.typical_calls import TypicalCall, calls_in, share_text, typical_call
from quota.windows import Limit


@dataclass(frozen=True, slots=True)
class WindowShare:
    """`percent` of the limit, as a text; `calls`: how many fit, None if they cost nothing."""

    limit: Limit
    percent: str
    calls: int | None


@dataclass(frozen=True, slots=True)
class PlanShare:
    """What one typical call takes of a plan."""

    plan: Plan
    windows: tuple[WindowShare, ...]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """`prices` are in the rate card's order, those of small calls before those of large ones."""

    model: str
    aliases: list[str]
    prices: tuple[Price, ...]
    typical: TypicalCall
    plans: tuple[PlanShare, ...]


def model_prices(at: datetime) -> Mapping[str, list[ListedModel]]:
    """By modality, both in the rate card's order. The plans are those on sale, the smallest first."""
    listed = models_in_force(at)
    if listed.card is None:
        return {}
    plans = [
        (plan, tuple(row.limit for row in plan.limits.all()))
        for plan in Plan.objects.sellable().prefetch_related("limits").order_by("rank")
    ]
    found: dict[str, list[ListedModel]] = {}
    for model, aliases in listed.models:
        typical = typical_call(listed.card, model)
        shares = tuple(PlanShare(plan, _shares(limits, typical.nanousd)) for plan, limits in plans)
        prices = tuple(sorted(model.prices, key=lambda price: price.context_over))
        found.setdefault(model.modality, []).append(
            ListedModel(model.model, aliases, prices, typical, shares)
        )
    return found


def _shares(limits: tuple[Limit, ...], nanousd: int) -> tuple[WindowShare, ...]:
    return tuple(
        WindowShare(limit, share_text(nanousd, limit.nanousd), calls_in(limit.nanousd, nanousd))
        for limit in limits
    )
