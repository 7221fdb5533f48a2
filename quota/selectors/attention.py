"""What of a Team somebody should look at: who is at a limit, which seats are idle or free, what expires.

The number of queries does not grow with the Team, and names are as many as a page can show.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Window

from quota.models import CreditGrant
from quota.selectors.balance import ApiBalance, balance_to_top_up
from quota.selectors.roster import Shown, members_of
from quota.selectors.seat_use import idle_holdings, near_limit
from quota.selectors.seats import PlanCount, free_plans
from quota.selectors.stopped import owing, without_seat
from quota.selectors.usage_bar import UsageBar, usage_bars
from teams.models import Membership, Team

EXPIRING_WITHIN = timedelta(days=14)
# So many people are named; the others are counted.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Attention:
    """`owing` are the bars of those who used more than was paid for: at most five of `owing_count`.
    `near_limit` are bars with a window from 80 % on, of who owes nothing, those whose calls are refused
    first. `idle` are those who have held a seat for 14 days and used nothing in that time: at most five of
    `idle_count`. `refused` have no seat, and calls of theirs were refused. `free_plans` are those of which
    seats are free; if there are any, `without_seat` are those who could have one: at most five of
    `without_seat_count`. Credits that expire within 14 days are `expiring_nanousd` in all, the first at
    `expires_at`. `api_balance` is None where there is enough.
    """

    owing: list[UsageBar]
    owing_count: int
    near_limit: list[UsageBar]
    idle: list[Membership]
    idle_count: int
    refused: list[Membership]
    free_plans: list[PlanCount]
    without_seat: list[Membership]
    without_seat_count: int
    expiring_nanousd: int
    expires_at: datetime | None
    api_balance: ApiBalance | None

    @property
    def free_seats(self) -> int:
        """How many somebody can be given."""
        return sum(plan.free for plan in self.free_plans)


def attention(team: Team, at: datetime) -> Attention:
    """As of a moment."""
    # Named and counted at once: of each holding the last charge is read.
    counted = idle_holdings(team, at).annotate(of=Window(Count("pk")))
    idle = list(counted.select_related("membership__user")[:NAMED])
    owe = owing(team)
    lots = CreditGrant.objects.for_team(team).credits().live(at).filter(expires_at__lte=at + EXPIRING_WITHIN)
    expiring = lots.remaining()
    free = free_plans(team, at)
    without = members_of(team, at, shown=Shown.WITHOUT_A_SEAT) if free else Membership.objects.none()
    return Attention(
        owing=usage_bars(list(owe.select_related("user")[:NAMED]), at),
        owing_count=owe.count(),
        near_limit=near_limit(team, at),
        idle=[holding.membership for holding in idle],
        idle_count=getattr(idle[0], "of", 0) if idle else 0,
        refused=without_seat(team, at),
        free_plans=free,
        without_seat=list(without[:NAMED]),
        without_seat_count=without.count(),
        expiring_nanousd=expiring,
        expires_at=lots.aggregate(first=Min("expires_at"))["first"] if expiring else None,
        api_balance=balance_to_top_up(team, at),
    )
