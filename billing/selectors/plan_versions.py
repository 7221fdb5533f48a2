"""Versions of plans with their prices: what a draft says, what it changes, who has the versions before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from billing.errors import PlanDraftChanged, PlanNotPriced
from billing.price_lists import Amounts, is_complete, price_lines
from quota.errors import PlanPublished
from quota.models import Entitlement, Plan
from quota.plan_terms import Line, side_by_side
from tokenplan.kit.errors import NotFound


@dataclass(frozen=True, slots=True)
class Publication:
    """A draft beside the version on sale, if there is one.

    `holders` are the seats that have each published version of the plan, by its number. `digest` stands for
    all that the draft says: whoever publishes it names it.
    """

    draft: Plan
    on_sale: Plan | None
    lines: list[Line]
    holders: dict[int, int]
    digest: str


def publication(plan: Plan, at: datetime) -> Publication:
    """What publishing the draft would change. Raises PlanPublished, PlanNotPriced, and NotFound where it was
    discarded.
    """
    draft = Plan.objects.filter(pk=plan.pk).first()
    if draft is None:
        raise NotFound
    if draft.published_at is not None:
        raise PlanPublished
    if not is_complete(amounts_of(draft)):
        raise PlanNotPriced
    on_sale = Plan.objects.sellable().filter(code=draft.code).first()
    return Publication(
        draft=draft,
        on_sale=on_sale,
        lines=side_by_side(version_lines(on_sale) if on_sale else {}, version_lines(draft)),
        holders=holders_of(draft.code, at),
        digest=digest_of(draft),
    )


def refuse_another_draft(draft: Plan, digest: str) -> None:
    """Raises PlanDraftChanged where the draft does not say what the digest stands for."""
    if digest_of(draft) != digest:
        raise PlanDraftChanged


def version_lines(plan: Plan) -> dict[str, str]:
    """All that a version says, its prices included, each under its label."""
    return {**plan.terms.lines(), **price_lines(amounts_of(plan))}


def amounts_of(plan: Plan) -> Amounts:
    """Empty for a draft that has no prices yet."""
    return {price.interval: price.amount_nanousd for price in plan.prices.order_by("interval")}


def digest_of(plan: Plan) -> str:
    return hashlib.sha256(repr((plan.pk, plan.terms, amounts_of(plan))).encode()).hexdigest()


def holders_of(code: str, at: datetime) -> dict[int, int]:
    """How many seats have each version of the plan, the oldest version first."""
    rows = Entitlement.objects.at(at).filter(plan__code=code)
    counted = rows.values_list("plan__version").annotate(Count("pk")).order_by("plan__version")
    return dict(counted)
