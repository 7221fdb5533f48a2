"""The usage bar: what a member may use in a Team now.

Pages, the API and the trackers' endpoint all show this.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from quota.hot_path.catalog import PlanTerms, plan_terms
from quota.hot_path.state import NO_SEAT, SeatUsage, seat_usage
from quota.models import Entitlement, OwedUsage
from quota.selectors.credits import MemberCredits, member_credits
from quota.windows import FOREVER, QuotaWindow
from teams.models import Membership, SeatHolding


@dataclass(frozen=True, slots=True)
class UsageBar:
    """What a member may use. `plan` is None where no seat works; `windows` is then empty.

    `suspended`: the seat that the member holds waits for a payment. `owed`, in nano-dollars: usage that
    nothing covered; until it is paid, no call is allowed. `room_at`: when every window has room for a small
    call again; None where they have it now.
    """

    membership: Membership
    seat_id: int | None
    plan: PlanTerms | None
    ends_at: datetime | None
    renews_at: datetime | None
    suspended: bool
    windows: list[QuotaWindow]
    agents: int
    credits: MemberCredits
    owed: int
    room_at: datetime | None

    @property
    def usable(self) -> bool:
        """Whether a small call would be allowed now."""
        if self.owed:
            return False
        return (bool(self.windows) and self.room_at is None) or self.credits.usable > 0


# Nano-dollars: what the windows have less room for is no call, though they are not quite full.
SMALL_CALL = 100_000


def _room_at(usage: SeatUsage, plan: PlanTerms, at: datetime) -> datetime | None:
    """When every window has room for a small call again; None where they have it now."""
    moments = [usage.fits_at(limit, min(SMALL_CALL, limit.nanousd), at) or FOREVER for limit in plan.limits]
    return max(moments) if max(moments) > at else None


def usage_bar(membership: Membership, at: datetime) -> UsageBar:
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
    usage = seat_usage(working.seat_id, at) if working else NO_SEAT
    return UsageBar(
        membership=membership,
        seat_id=holding.seat_id if holding else None,
        plan=plan,
        ends_at=entitlement.ends_at if entitlement else None,
        renews_at=entitlement.renews_at if entitlement else None,
        suspended=suspended,
        windows=usage.windows(plan.limits, at) if plan else [],
        agents=len(usage.agents(at)),
        credits=member_credits(membership, seated=plan is not None, at=at),
        room_at=_room_at(usage, plan, at) if plan else None,
        owed=OwedUsage.objects.of_person(membership).credits().left(),
    )


def seat_windows(seat_id: int, at: datetime) -> tuple[PlanTerms | None, list[QuotaWindow]]:
    """A seat's plan and windows, whoever holds it; (None, []) when it is entitled to nothing that works."""
    entitlement = Entitlement.objects.filter(seat_id=seat_id).working(at).order_by("-starts_at").first()
    if entitlement is None:
        return None, []
    plan = plan_terms(entitlement.plan_id)
    return plan, seat_usage(seat_id, at).windows(plan.limits, at)
