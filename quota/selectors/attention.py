"""What of a Team somebody should look at: who is at a limit, which seats are idle or free, what expires.

The number of queries does not grow with the Team, and names are as many as a page can show.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, Min, OuterRef

from quota.models import CreditGrant, CrowdedSeat, Entitlement, UsageEvent
from quota.outlook import NEARLY_FULL
from quota.selectors.seats import free_seats
from quota.selectors.usage_bar import UsageBar, usage_bars
from teams.models import Membership, SeatHolding, Team
from teams.querysets import SeatHoldingQuerySet

IDLE_AFTER = timedelta(days=14)
EXPIRING_WITHIN = timedelta(days=14)
# So many people are named; the others are counted.
NAMED = 5
# So many bars are read at most.
MOST_BARS = 100


@dataclass(frozen=True, slots=True)
class Attention:
    """`near_limit` are bars with a window from 80 % on, those whose calls are refused first. `idle` are those
    who have held a seat for 14 days and used nothing in that time: at most five of `idle_count`. Credits that
    expire within 14 days are `expiring_nanousd` in all, the first at `expires_at`.
    """

    near_limit: list[UsageBar]
    idle: list[Membership]
    idle_count: int
    free_seats: int
    expiring_nanousd: int
    expires_at: datetime | None


def attention(team: Team, at: datetime) -> Attention:
    """As of a moment."""
    idle = _idle(team, at)
    lots = CreditGrant.objects.for_team(team).credits().live(at).filter(expires_at__lte=at + EXPIRING_WITHIN)
    expiring = lots.remaining()
    return Attention(
        near_limit=_near_limit(team, at),
        idle=[holding.membership for holding in idle.select_related("membership__user")[:NAMED]],
        idle_count=idle.count(),
        free_seats=free_seats(team, at).count(),
        expiring_nanousd=expiring,
        expires_at=lots.aggregate(first=Min("expires_at"))["first"] if expiring else None,
    )


def _near_limit(team: Team, at: datetime) -> list[UsageBar]:
    """Which seats may be crowded, the sweep that sends notices has noted; how full they are is read now."""
    crowded = CrowdedSeat.objects.filter(seat=OuterRef("seat"))
    holdings = SeatHolding.objects.for_team(team).filter(Exists(crowded)).at(at).order_by("pk")
    members = [holding.membership for holding in holdings.select_related("membership__user")[:MOST_BARS]]
    bars = [bar for bar in usage_bars(members, at) if _fullest(bar) >= NEARLY_FULL]
    return sorted(bars, key=lambda bar: (bar.usable, -_fullest(bar), bar.membership.pk))


def _fullest(bar: UsageBar) -> int:
    return max((int(window.used_percent) for window in bar.windows), default=0)


def _idle(team: Team, at: datetime) -> SeatHoldingQuerySet:
    since = at - IDLE_AFTER
    used = UsageEvent.objects.filter(membership=OuterRef("membership"), occurred_at__gte=since)
    works = Entitlement.objects.filter(seat=OuterRef("seat")).working(at)
    held = SeatHolding.objects.for_team(team).at(at).filter(started_at__lte=since)
    return held.filter(Exists(works), ~Exists(used)).order_by("started_at", "pk")
