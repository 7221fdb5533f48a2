"""What Stripe says, as values: read from its objects once, here, so that no other module knows their shapes.

Moments are aware, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """So many seats at one price; the period lies on the item."""

    id: str
    price: str
    quantity: int
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """A subscription; its period is its items'."""

    id: str
    status: str
    interval: str
    items: tuple[ItemFacts, ...]
    cancel_at: datetime | None
    ended_at: datetime | None
    created_at: datetime

    @property
    def period_start(self) -> datetime:
        return min(item.period_start for item in self.items)

    @property
    def period_end(self) -> datetime:
        return min(item.period_end for item in self.items)


def subscription_facts(subscription: Object) -> SubscriptionFacts:
    """Of a subscription as the API version 2026-10-28.endive has it."""
    items = subscription["items"]["data"]
    return SubscriptionFacts(
        id=subscription["id"],
        status=subscription["status"],
        interval=items[0]["price"]["recurring"]["interval"],
        items=tuple(
            ItemFacts(
                id=item["id"],
                price=item["price"]["id"],
                quantity=item["quantity"],
                period_start=_moment(item["current_period_start"]),
                period_end=_moment(item["current_period_end"]),
            )
            for item in items
        ),
        cancel_at=_moment_or_none(subscription["cancel_at"]),
        ended_at=_moment_or_none(subscription["ended_at"]),
        created_at=_moment(subscription["created"]),
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _moment_or_none(seconds: int | None) -> datetime | None:
    return None if seconds is None else _moment(seconds)
