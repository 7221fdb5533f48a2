"""Lists of plans and of prices fill what is empty; what differs they change only where they are told to, and
then in drafts.
"""

from __future__ import annotations

from datetime import datetime

from billing.models import Price
from billing.money import PACKS
from billing.price_lists import Amounts
from billing.selectors.plan_lists import ListedPlan, ListedPrices, listed_plans, listed_prices
from billing.services.plans import change_draft, draft_version
from quota.models import Plan
from quota.plan_terms import VersionTerms
from quota.services.plans import put_on_sale
from teams.models import User
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def load_plans(*, text: str, draft: bool, at: datetime, by: User | None) -> list[ListedPlan]:
    """A plan of the list that is new is drafted. What differs is written into drafts if `draft` says so.

    Returns the list as it stood beside what there was. Raises PlanListInvalid; nothing of the list is kept
    then.
    """
    rows = listed_plans(text)
    for row in rows:
        if row.plan is None or (draft and row.differences):
            _write(row.plan, row.terms, None, at, by)
    return rows


@one_transaction()
def load_prices(*, text: str, draft: bool, at: datetime, by: User | None) -> list[ListedPrices]:
    """A draft without prices gets those of the list, and what goes into an account its price. What differs is
    written into drafts if `draft` says so.

    The first plans of an installation go on sale at once: nothing is sold before, so nothing is lost while
    Stripe does not know them. Returns the list as it stood beside what there was. Raises PriceListInvalid;
    nothing of the list is kept then.
    """
    rows = listed_prices(text)
    for row in rows:
        if row.is_empty or (draft and row.differences):
            _write(row.plan, row.plan.terms, row.amounts, at, by)
        if row.is_first_sale:
            put_on_sale(plan=row.plan, at=at, by=by)
    for pack in PACKS.values():
        Price.objects.get_or_create(
            lookup_key=pack.key, defaults={"amount_nanousd": pack.nanousd, "created_at": at}
        )
    return rows


def _write(
    plan: Plan | None, terms: VersionTerms, amounts: Amounts | None, at: datetime, by: User | None
) -> None:
    if plan is None or plan.published_at is not None:
        draft_version(terms=terms, amounts=amounts, at=at, by=by)
    else:
        change_draft(plan=plan, terms=terms, amounts=amounts, at=at, by=by)
