"""The usage bar: what a member may use in a Team now.

Pages, the API and the trackers' endpoint all show this.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from quota.models import CreditAccess, CreditGrant, CreditMonth, Entitlement, TeamCredits
from quota.selectors.catalog import PlanTerms, plan_terms
from quota.selectors.facts import NO_SEAT, seat_facts, usable_credits
from quota.windows import QuotaWindow
from teams.models import Membership, SeatHolding


@dataclass(frozen=True, slots=True)
class BarCredits:
    """Amounts in nano-dollars.

    `balance` is the Team's pool, `usable` what this member could still draw now.
    """

    access: bool
    balance: int
    usable: int
    overflow: str  # of the member and the Team together: allow only where both allow
    month_cap: int | None
    month_used: int


@dataclass(frozen=True, slots=True)
class Bar:
    """`plan` is None where no seat works; `windows` is then empty. `suspended`: it waits for a payment."""

    membership: Membership
    seat: int | None
    plan: PlanTerms | None
    ends_at: datetime | None
    renews_at: datetime | None
    suspended: bool
    windows: list[QuotaWindow]
    agents: int
    credits: BarCredits

    @property
    def usable(self) -> bool:
        """Whether a small call would be allowed now."""
        return (bool(self.windows) and all(not w.is_full for w in self.windows)) or self.credits.usable > 0


def usage_bar(membership: Membership, at: datetime) -> Bar:
    """The bar of a live membership at a moment."""
    holding = SeatHolding.objects.filter(membership=membership).at(at).first()
    entitlement = (
        Entitlement.objects.filter(seat_id=holding.seat_id).at(at).order_by("-starts_at").first()
        if holding
        else None
    )
    suspended = entitlement is not None and entitlement.is_suspended(at)
    working = entitlement if entitlement and not suspended else None
    plan = plan_terms(working.plan_id) if working else None
    facts = seat_facts(working.seat_id, at) if working else NO_SEAT
    return Bar(
        membership=membership,
        seat=holding.seat_id if holding else None,
        plan=plan,
        ends_at=entitlement.ends_at if entitlement else None,
        renews_at=entitlement.renews_at if entitlement else None,
        suspended=suspended,
        windows=facts.windows(plan.limits, at) if plan else [],
        agents=len(facts.agents()),
        credits=_credits(membership, seated=plan is not None, at=at),
    )


def seat_windows(seat_id: int, at: datetime) -> tuple[PlanTerms | None, list[QuotaWindow]]:
    """A seat's plan and windows, whoever holds it; (None, []) when it is entitled to nothing that works."""
    entitlement = Entitlement.objects.filter(seat_id=seat_id).working(at).order_by("-starts_at").first()
    if entitlement is None:
        return None, []
    plan = plan_terms(entitlement.plan_id)
    return plan, seat_facts(seat_id, at).windows(plan.limits, at)


def team_balance(team_id: int, at: datetime) -> int:
    """The Team's Credits, in nano-dollars: what is left in the lots that can be drawn from."""
    return CreditGrant.objects.filter(team_id=team_id).live(at).remaining()


def _credits(membership: Membership, *, seated: bool, at: datetime) -> BarCredits:
    access = CreditAccess.objects.of_one(membership)
    rules = TeamCredits.objects.filter(team_id=membership.team_id).first()
    allows = access.overflow == "allow" and (rules is None or rules.overflow == "allow")
    month = at.date().replace(day=1)
    used = CreditMonth.objects.filter(membership=membership, month=month).aggregate(total=Sum("used_nanousd"))
    return BarCredits(
        access=access.allowed,
        balance=team_balance(membership.team_id, at),
        usable=usable_credits(team_id=membership.team_id, membership_id=membership.pk, seated=seated, at=at),
        overflow="allow" if allows else "never",
        month_cap=access.month_cap_nanousd,
        month_used=used["total"] or 0,
    )
