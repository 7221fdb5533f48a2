"""Requests for seats that were granted by a paid change."""

from __future__ import annotations

from billing.models import Change
from quota.models import SeatRequest
from quota.querysets import SeatRequestQuerySet


def granted_with(change: Change) -> SeatRequestQuerySet:
    """Those whose seat this done change raised: they were answered in its moment, by who made it."""
    rows = SeatRequest.objects.for_team(change.team).filter(granted=True, closed_at=change.closed_at)
    seats = list(map(int, change.moves))
    return rows.filter(closed_by=change.by, seat__in=seats).select_related("membership__user").order_by("pk")
