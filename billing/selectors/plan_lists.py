"""How lists of plans and of prices differ from what this installation has."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from billing.errors import PriceListInvalid
from billing.price_lists import Amounts, parse_prices, price_lines
from billing.selectors.plan_versions import amounts_of
from quota.models import Plan
from quota.plan_terms import Line, VersionTerms, parse_plans, side_by_side


@dataclass(frozen=True, slots=True)
class ListedPlan:
    """A plan of a list. `plan` is its draft, or else its newest version; None: the plan is new."""

    terms: VersionTerms
    plan: Plan | None
    differences: list[Line]


@dataclass(frozen=True, slots=True)
class ListedPrices:
    """The prices of a plan in a list. `plan` is its draft, or else its newest version."""

    amounts: Amounts
    plan: Plan
    differences: list[Line]
    is_empty: bool
    is_first_sale: bool


def listed_plans(text: str) -> list[ListedPlan]:
    """Raises PlanListInvalid."""
    rows = []
    for terms in parse_plans(text):
        plan = _newest(terms.code)
        rows.append(ListedPlan(terms, plan, _differences(plan, terms) if plan else []))
    return rows


def listed_prices(text: str) -> list[ListedPrices]:
    """Raises PriceListInvalid, also for a plan that there is none of."""
    rows = []
    nothing_was_sold = not Plan.objects.published().exists()
    for code, amounts in parse_prices(text).items():
        plan = _newest(code)
        if plan is None:
            raise PriceListInvalid(_("There is no plan “%(code)s” to put a price on") % {"code": code})
        before = amounts_of(plan)
        lines = side_by_side(price_lines(before), price_lines(amounts))
        differences = [line for line in lines if line.differs] if before else []
        is_first = nothing_was_sold and not differences
        rows.append(ListedPrices(amounts, plan, differences, is_empty=not before, is_first_sale=is_first))
    return rows


def _newest(code: str) -> Plan | None:
    """Of the plan: its draft is always the newest."""
    return Plan.objects.filter(code=code).order_by("-version").first()


def _differences(plan: Plan, terms: VersionTerms) -> list[Line]:
    before, after = plan.terms.lines(), terms.lines()
    if plan.published_at and not plan.sellable:
        before, after = {**before, _("On sale"): _("no")}, {**after, _("On sale"): _("yes")}
    return [line for line in side_by_side(before, after) if line.differs]
