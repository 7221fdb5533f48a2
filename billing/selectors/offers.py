"""What is on sale, as people compare it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from billing.errors import NotOnSale
from billing.models import Interval, Price
from quota.models import Entitlement, Plan
from quota.windows import Limit
from teams.models import SeatHolding


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan that can be bought. Prices are nano-dollars a seat."""

    plan: Plan
    limits: tuple[Limit, ...]
    month_nanousd: int
    year_nanousd: int

    @property
    def saved_nanousd(self) -> int:
        """How much cheaper a year is than twelve months."""
        return 12 * self.month_nanousd - self.year_nanousd


def offers() -> list[Offer]:
    """The plans on sale, the smallest first."""
    amounts: dict[Plan, dict[str, int]] = {}
    for price in Price.objects.on_sale().prefetch_related("plan__limits").order_by("plan__rank"):
        if price.plan is not None:
            amounts.setdefault(price.plan, {})[price.interval] = price.amount_nanousd
    return [
        Offer(
            plan,
            tuple(row.limit for row in plan.limits.all()),
            by_interval[Interval.MONTH],
            by_interval[Interval.YEAR],
        )
        for plan, by_interval in amounts.items()
    ]


def months_free(offers: Iterable[Offer]) -> int:
    """How many of twelve months are free when a plan is paid by the year; 0 if that differs between plans."""
    found = {divmod(offer.saved_nanousd, offer.month_nanousd) for offer in offers}
    months, rest = found.pop() if len(found) == 1 else (0, 0)
    return max(months, 0) if rest == 0 else 0


def plan_on_sale(code: str) -> Plan:
    """The version of a plan that is sold now. Raises NotOnSale."""
    plan = Plan.objects.sellable().filter(code=code).order_by("-version").first()
    if plan is None:
        raise NotOnSale(_("There is no plan “%(code)s” on sale.") % {"code": code}, pointer="/plan")
    return plan


def held_plan(user_id: int, at: datetime) -> Plan | None:
    """The highest plan of the seats that somebody holds, in whatever Team; None without one."""
    held = SeatHolding.objects.current().filter(membership__user=user_id).values("seat")
    highest = Entitlement.objects.at(at).filter(seat__in=held).select_related("plan").order_by("-plan__rank")
    row = highest.first()
    return row.plan if row else None
