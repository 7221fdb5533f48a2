"""Requests for seats that were granted by a paid change."""

from __future__ import annotations

from billing.models import Change
from quota.models import SeatRequest


def granted_with(change: Change) -> list[SeatRequest]:
    """Those whose seat this done change raised: they were answered in its moment, by who made it."""
    rows = SeatRequest.objects.for_team(change.team).filter(granted=True, closed_at=change.closed_at)
    seats = list(map(int, change.moves))
    found = rows.filter(closed_by=change.by, seat__in=seats).select_related("membership__user")
    return list(found.order_by("pk"))
