"""Questions about the second floor's rows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db.models import F, QuerySet

from teams.querysets import TeamOwned

if TYPE_CHECKING:
    from billing.models import Payment, Price, PurchasedSeat, StripeEvent, Subscription  # noqa: F401


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


class PaymentQuerySet(TeamOwned["Payment"]):
    def refundable(self) -> Self:
        """Of which something is left to pay back."""
        return self.filter(status="succeeded", received_nanousd__gt=F("refunded_nanousd"))


class StripeEventQuerySet(QuerySet["StripeEvent"]):
    def due(self, at: datetime) -> Self:
        """The longest waiting first."""
        return self.filter(done_at=None, next_attempt_at__lte=at).order_by("next_attempt_at", "pk")
