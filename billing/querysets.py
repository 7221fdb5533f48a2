"""Questions about the rows of what was bought."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from teams.querysets import TeamOwned

if TYPE_CHECKING:
    from billing.models import (  # noqa: F401
        Change,
        Checkout,
        InviteCampaign,
        Invoice,
        Price,
        Promotion,
        PromotionRedemption,
        PurchasedSeat,
        StripeEvent,
        Subscription,
    )


class PriceQuerySet(QuerySet["Price"]):
    def on_sale(self) -> Self:
        """Of plan versions that can be bought, the smallest plan first."""
        return self.filter(plan__sellable=True).select_related("plan")


class SubscriptionQuerySet(TeamOwned["Subscription"]):
    def live(self) -> Self:
        return self.filter(ended_at=None)

    def owing(self) -> Self:
        """As `Subscription.owes` says it."""
        return self.filter(Q(status__in=self.model.OWES) | ~Q(past_due_since=None))

    def with_plans_at_risk(self, at: datetime, margin: timedelta) -> Self:
        """Something is planned and Stripe was not seen to know it: a cancellation, what is to happen within
        the margin, or what should have happened.
        """
        unheard = Q(cancel_at=None, schedule_id="", planned_for__lte=at + margin)
        return self.filter(Q(cancel_asked=True) | Q(planned_for__lte=at) | unheard)


class PurchasedSeatQuerySet(TeamOwned["PurchasedSeat"]):
    def live(self) -> Self:
        return self.filter(ended_at=None)


class ChangeQuerySet(TeamOwned["Change"]):
    def unfinished(self) -> Self:
        """Sent, or waiting for their payment."""
        return self.filter(closed_at=None)


class InvoiceQuerySet(TeamOwned["Invoice"]):
    def unpaid(self) -> Self:
        """Also those that were written off: whoever forgives a debt voids its invoice."""
        return self.filter(status__in=["open", "uncollectible"])

    def shown(self) -> Self:
        """Those that people see: a draft may still change."""
        return self.exclude(status="draft")


class CheckoutQuerySet(TeamOwned["Checkout"]):
    def unfinished(self) -> Self:
        """Not paid yet, or with a payment under way."""
        return self.filter(state__in=["open", "processing"])


class PromotionQuerySet(QuerySet["Promotion"]):
    def by_code(self, typed: str) -> Promotion | None:
        """Of this text, in capital or small letters, as Stripe compares it; the active one goes first."""
        if not (typed.isascii() and typed.strip().isprintable()):
            return None  # no code has such signs, and the database takes not all of them
        same = self.annotate(small=Lower("code")).filter(small=typed.strip().lower())
        return same.order_by("-active", "-pk").first()


class PromotionRedemptionQuerySet(TeamOwned["PromotionRedemption"]):
    def counting(self) -> Self:
        """Used, or reserved for a payment that has not come yet."""
        return self.exclude(state="given_up")


class InviteCampaignQuerySet(QuerySet["InviteCampaign"]):
    def in_force(self, at: datetime) -> Self:
        """At most one: links work now, and Stripe takes the share off."""
        return self.filter(starts_at__lte=at, ends_at__gt=at).exclude(promotion=None)


class StripeEventQuerySet(QuerySet["StripeEvent"]):
    def waiting(self) -> Self:
        """To be worked, now or later."""
        return self.filter(done_at=None, dead_at=None)

    def due(self, at: datetime) -> Self:
        """To be worked now, the longest waiting first."""
        return self.waiting().filter(next_attempt_at__lte=at).order_by("next_attempt_at", "pk")
