"""Questions about the second floor's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db.models import QuerySet

from teams.querysets import TeamOwned

if TYPE_CHECKING:
    from billing.models import Price, PurchasedSeat, Subscription  # noqa: F401


class PriceQuerySet(QuerySet["Price"]):
    def on_sale(self) -> Self:
        """Of plan versions that can be bought, the smallest plan first."""
        return self.filter(plan__sellable=True).select_related("plan")


class SubscriptionQuerySet(TeamOwned["Subscription"]):
    def live(self) -> Self:
        return self.filter(ended_at=None)


class PurchasedSeatQuerySet(TeamOwned["PurchasedSeat"]):
    def live(self) -> Self:
        return self.filter(ended_at=None)
