"""What was left of a Team's Credits day by day, and what will be at the present pace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Sum
from django.db.models.functions import TruncDay

from quota.models import CreditGrant, CreditLedgerEntry
from quota.outlook import Pace
from quota.runway import Lot, Runway, left_at, runway
from quota.selectors.usage_series import usage_by
from teams.models import Team

DAY = timedelta(days=1)
PAST = 30 * DAY
# So far ahead at least, and at most.
LEAST_AHEAD, MOST_AHEAD = 14 * DAY, 90 * DAY
PACE_OF = 7 * DAY


@dataclass(frozen=True, slots=True)
class CreditDay:
    """`left` is what is left at the end of the day that begins `at`, today: now. `expires` is what expires
    unused in a day to come.
    """

    at: datetime
    left: int
    expires: int = 0
    is_ahead: bool = False


@dataclass(frozen=True, slots=True)
class CreditRunway:
    """The days in their order. Without a `pace` nothing was used in the last seven days, and nobody knows how
    long it lasts.
    """

    days: list[CreditDay]
    pace: Pace | None
    ahead: Runway


def credit_runway(team: Team, at: datetime) -> CreditRunway | None:
    """None for a Team that has never had Credits. What is frozen by a dispute counts at no time."""
    grants = CreditGrant.objects.for_team(team).credits()
    first = grants.order_by("granted_at").values_list("granted_at", flat=True).first()
    if first is None:
        return None
    lots = [Lot(lot.remaining_nanousd, lot.expires_at) for lot in grants.live(at) if lot.expires_at]
    pace = _pace(team, first, at)
    ahead = runway(lots, pace, at)
    return CreditRunway([*_past(team, first, lots, at), *_ahead(lots, pace, ahead, at)], pace, ahead)


def _pace(team: Team, first: datetime, at: datetime) -> Pace | None:
    """Of the last seven days, or of those since there are Credits, a day at least."""
    over = max(min(PACE_OF, at - first), DAY)
    used = usage_by(team, at - over, at)[0].amounts.from_credits_nanousd
    return Pace(used, over) if used > 0 else None


def _past(team: Team, first: datetime, lots: list[Lot], at: datetime) -> Iterator[CreditDay]:
    """From what is left now and what has changed since, day by day back."""
    today = _midnight(at)
    start = max(today - PAST + DAY, _midnight(first))
    entries = CreditLedgerEntry.objects.for_team(team).credits().filter(at__gte=start)
    entries = entries.filter(grant__team=team, grant__frozen_at=None)
    by_day = entries.annotate(day=TruncDay("at", tzinfo=UTC)).order_by().values_list("day")
    changes = dict(by_day.annotate(change=Sum("amount_nanousd")))
    left = sum(lot.left for lot in lots)
    days = []
    while today >= start:
        days.append(CreditDay(today, left))
        left -= changes.get(today, 0)
        today -= DAY
    return reversed(days)


def _ahead(lots: list[Lot], pace: Pace | None, ahead: Runway, at: datetime) -> Iterator[CreditDay]:
    """Until nothing is left, as far as can be shown."""
    today = _midnight(at)
    ends = max(
        (*([ahead.ends_at] if ahead.ends_at else []), *(when for when, _lost in ahead.losses)), default=at
    )
    last = min(max(ends, at + LEAST_AHEAD), at + MOST_AHEAD)
    day = today + DAY
    while day <= last:
        expires = sum(lost for when, lost in ahead.losses if day <= when < day + DAY)
        yield CreditDay(day, left_at(lots, pace, at, day + DAY), expires, is_ahead=True)
        day += DAY


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
