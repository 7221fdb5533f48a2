"""Versions of plans with their prices: drafted and put on sale, by an operator's hand or from lists."""

from __future__ import annotations

from datetime import datetime

from billing.errors import PlanDraftChanged, PlanNotPriced
from billing.models import Price
from billing.price_lists import Amounts, is_complete
from billing.selectors.plan_versions import amounts_of, refuse_another_draft
from quota.models import Plan
from quota.plan_terms import VersionTerms
from quota.services import plans
from teams.models import User
from tokenplan.kit.transactions import one_transaction, refused_by


@one_transaction()
def draft_version(
    *, terms: VersionTerms, amounts: Amounts | None, reason: str = "", at: datetime, by: User | None
) -> Plan:
    """The draft of a plan's next version with these prices; without any, it has those of the newest version.

    What is on sale stays so. Raises PlanDraftExists where the plan has a draft.
    """
    draft = plans.draft_plan(terms=terms, reason=reason, at=at, by=by)
    # After the lock of all versions: one that was just published is the newest.
    newest = Plan.objects.published().filter(code=terms.code).order_by("-version").first()
    if amounts is None and newest:
        amounts = amounts_of(newest)
    if amounts:
        _price(draft, amounts, at)
    return draft


@one_transaction()
def change_draft(
    *,
    plan: Plan,
    terms: VersionTerms,
    amounts: Amounts | None,
    reason: str = "",
    at: datetime,
    by: User | None,
) -> Plan:
    """The draft says this and costs this from now on; without prices, what it did. Raises PlanPublished."""
    draft = plans.change_draft(plan=plan, terms=terms, reason=reason, at=at, by=by)
    if amounts is not None and amounts != amounts_of(draft):
        _price(draft, amounts, at)
    return draft


@one_transaction()
def put_on_sale(*, plan: Plan, digest: str, reason: str = "", at: datetime, by: User | None) -> Plan:
    """The draft goes on sale, and the version before it off, once Stripe knows both its prices.

    Raises PlanPublished, and PlanDraftChanged where the draft says something else than was shown, or has
    prices that Stripe does not know.
    """
    draft = plans.locked_draft(plan)
    refuse_another_draft(draft, digest)
    if draft.prices.filter(stripe_id=None).exists():
        raise PlanDraftChanged
    with refused_by(a_plan_on_sale_has_both_prices=PlanNotPriced):
        return plans.put_on_sale(plan=draft, reason=reason, at=at, by=by)


def _price(draft: Plan, amounts: Amounts, at: datetime) -> None:
    if not is_complete(amounts):
        raise PlanNotPriced
    draft.prices.all().delete()
    for interval, amount in amounts.items():
        Price.objects.create(
            plan=draft,
            interval=interval,
            amount_nanousd=amount,
            lookup_key=f"{draft.code}_v{draft.version}_{interval}",
            created_at=at,
        )
