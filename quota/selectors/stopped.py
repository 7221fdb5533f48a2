"""Whose calls are refused, but for a full window: the overview counts what the list of members shows."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from quota.errors import NoUsableResources
from quota.models import OwedUsage, RefusalCount, SeatRequest
from quota.selectors.usage_bar import usage_bars
from teams.models import Membership, SeatHolding, SubscriptionKey, Team
from teams.querysets import MembershipQuerySet

REFUSED_WITHIN = timedelta(days=7)
# Of so many without a seat is asked what they could use now.
MOST_REFUSED = 100


def owing(team: Team) -> MembershipQuerySet:
    """The live members who used more than was paid for: until it is, each of their calls is refused."""
    # It is the person's: who left and came back owes the same.
    owed = OwedUsage.objects.for_team(team).credits().unpaid().values("membership_id")
    people = Membership.objects.for_team(team).filter(pk__in=owed).values("user")
    return Membership.objects.for_team(team).live().filter(user__in=people).order_by("pk")


def without_seat(team: Team, at: datetime) -> list[Membership]:
    """Those who have no seat and nothing else that pays, owe nothing, did not ask for a seat, and made calls
    within 7 days, which were refused: at most 100, and nobody of a Default Team.
    """
    if team.is_default:
        return []
    counts = RefusalCount.objects.since(at - REFUSED_WITHIN).filter(code=NoUsableResources.code)
    keys = SubscriptionKey.objects.for_team(team).filter(
        Exists(counts.filter(key_public_id=OuterRef("key_id")))
    )
    holds = SeatHolding.objects.at(at).filter(membership=OuterRef("pk"))
    asks = SeatRequest.objects.open().filter(membership=OuterRef("pk"))
    members = Membership.objects.for_team(team).live().filter(pk__in=keys.values("membership"))
    found = members.filter(~Exists(holds), ~Exists(asks)).select_related("user").order_by("pk")
    bars = usage_bars(list(found[:MOST_REFUSED]), at)
    return [bar.membership for bar in bars if not bar.usable and not bar.owed]
