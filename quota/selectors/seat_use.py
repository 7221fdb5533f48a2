"""Whose seats are near a limit, and which nobody has used for long: the overview counts what lists show.

The number of queries does not grow with the Team.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef
from django.db.models.functions import Coalesce

from quota.models import CrowdedSeat, Entitlement
from quota.outlook import NEARLY_FULL
from quota.selectors.asked_of_one_team import LONG_AGO, last_charge
from quota.selectors.usage_bar import UsageBar, usage_bars
from teams.models import SeatHolding, Team
from teams.querysets import SeatHoldingQuerySet

IDLE_AFTER = timedelta(days=14)
# So many bars are read at most.
MOST_BARS = 500


def near_limit(team: Team, at: datetime) -> list[UsageBar]:
    """The bars with a window from 80 % on, those whose calls are refused first, then the fullest first. Who
    owes is stopped by that, and is not among them.

    Which seats may be crowded, the sweep that sends notices has noted; how full they are is read now.
    """
    crowded = CrowdedSeat.objects.filter(seat=OuterRef("seat"))
    holdings = SeatHolding.objects.for_team(team).filter(Exists(crowded)).at(at).order_by("pk")
    members = [holding.membership for holding in holdings.select_related("membership__user")[:MOST_BARS]]
    bars = [bar for bar in usage_bars(members, at) if _fullest(bar) >= NEARLY_FULL and not bar.owed]
    return sorted(bars, key=lambda bar: (bar.usable, -_fullest(bar), bar.membership.pk))


def _fullest(bar: UsageBar) -> int:
    return max((int(window.used_percent) for window in bar.windows), default=0)


def idle_holdings(team: Team, at: datetime) -> SeatHoldingQuerySet:
    """Of seats that work, those whose holder has had them for 14 days and used nothing in that time, the
    earliest first.
    """
    since = at - IDLE_AFTER
    works = Entitlement.objects.filter(seat=OuterRef("seat")).working(at)
    held = SeatHolding.objects.for_team(team).at(at).filter(started_at__lte=since)
    last = Coalesce(last_charge("membership_id"), LONG_AGO)
    return held.filter(Exists(works)).alias(last=last).filter(last__lt=since).order_by("started_at", "pk")
