"""What of a Team somebody should look at: who is at a limit, which seats are idle or free, what expires.

The number of queries does not grow with the Team, and names are as many as a page can show.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, Min, OuterRef

from quota.errors import NoUsableResources
from quota.models import CreditGrant, RefusalCount, SeatRequest
from quota.selectors.seat_use import idle_holdings, near_limit
from quota.selectors.seats import free_seats
from quota.selectors.usage_bar import UsageBar, usage_bars
from teams.models import Membership, SeatHolding, SubscriptionKey, Team

EXPIRING_WITHIN = timedelta(days=14)
REFUSED_WITHIN = timedelta(days=7)
# So many people are named; the others are counted.
NAMED = 5
# Of so many without a seat is asked what they could use now.
MOST_REFUSED = 100


@dataclass(frozen=True, slots=True)
class Attention:
    """`near_limit` are bars with a window from 80 % on, those whose calls are refused first. `idle` are those
    who have held a seat for 14 days and used nothing in that time: at most five of `idle_count`. `refused`
    have no seat and nothing else that pays, did not ask for a seat, and made calls within 7 days, which were
    refused: at most 100, and nobody of a Default Team. Credits that expire within 14 days are
    `expiring_nanousd` in all, the first at `expires_at`.
    """

    near_limit: list[UsageBar]
    idle: list[Membership]
    idle_count: int
    refused: list[Membership]
    free_seats: int
    expiring_nanousd: int
    expires_at: datetime | None


def attention(team: Team, at: datetime) -> Attention:
    """As of a moment."""
    idle = idle_holdings(team, at)
    lots = CreditGrant.objects.for_team(team).credits().live(at).filter(expires_at__lte=at + EXPIRING_WITHIN)
    expiring = lots.remaining()
    return Attention(
        near_limit=near_limit(team, at),
        idle=[holding.membership for holding in idle.select_related("membership__user")[:NAMED]],
        idle_count=idle.count(),
        refused=[] if team.is_default else _refused(team, at),
        free_seats=free_seats(team, at).count(),
        expiring_nanousd=expiring,
        expires_at=lots.aggregate(first=Min("expires_at"))["first"] if expiring else None,
    )


def _refused(team: Team, at: datetime) -> list[Membership]:
    counts = RefusalCount.objects.since(at - REFUSED_WITHIN).filter(code=NoUsableResources.code)
    keys = SubscriptionKey.objects.for_team(team).filter(
        Exists(counts.filter(key_public_id=OuterRef("key_id")))
    )
    holds = SeatHolding.objects.at(at).filter(membership=OuterRef("pk"))
    asks = SeatRequest.objects.open().filter(membership=OuterRef("pk"))
    members = Membership.objects.for_team(team).live().filter(pk__in=keys.values("membership"))
    found = members.filter(~Exists(holds), ~Exists(asks)).select_related("user").order_by("pk")
    return [bar.membership for bar in usage_bars(list(found[:MOST_REFUSED]), at) if not bar.usable]
