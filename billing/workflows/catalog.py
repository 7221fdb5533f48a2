"""Puts what we sell into the Stripe account: Products and Prices, the portal's settings, the webhook
endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from billing import stripe_api
from billing.errors import StripeMissing, StripeRefused
from billing.models import Price
from billing.money import CREDITS_PER_PACK, cents_from_nanousd
from billing.services.prices import set_stripe_price_id

# Stripe's id of what Credits are sold as.
CREDITS_PRODUCT = f"tokenplan_credits_{CREDITS_PER_PACK}"
# What the inbox knows how to sync, and what an operator wants to see there.
EVENTS = [
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "customer.updated",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "subscription_schedule.completed",
    "subscription_schedule.released",
    "subscription_schedule.updated",
    "invoice.finalized",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.voided",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "charge.refunded",
    "refund.updated",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "promotion_code.created",
    "promotion_code.updated",
]


def publish_prices(*, at: datetime) -> Iterator[str]:
    """Every price of ours has its Price at Stripe, under its lookup key. Yields what it did, a line each:
    nothing, the second time. Raises StripeRefused when a lookup key is in use for another amount.
    """
    for price in Price.objects.select_related("plan").order_by("pk"):
        product_id = _upsert_product(price)
        found = stripe_api.price_by_lookup_key(price.lookup_key)
        if found is None:
            interval = price.interval or None
            cents = cents_from_nanousd(price.amount_nanousd)
            found = stripe_api.create_price(
                lookup_key=price.lookup_key, product_id=product_id, cents=cents, interval=interval
            )
            yield f"price {price.lookup_key}: {found.id}"
        if (found.cents, found.interval) != (cents_from_nanousd(price.amount_nanousd), price.interval):
            other = _("Stripe's price %(key)s (%(id)s) costs something else; take its lookup key away there.")
            raise StripeRefused(other % {"key": price.lookup_key, "id": found.id})
        set_stripe_price_id(price=price, stripe_id=found.id)


def _upsert_product(price: Price) -> str:
    """One product a plan version, so that invoices name it; its id is ours."""
    if price.plan is None:
        id, name = CREDITS_PRODUCT, f"{CREDITS_PER_PACK:,} Credits"
    else:
        id, name = f"tokenplan_{price.plan.code}_v{price.plan.version}", f"Token Plan {price.plan.name}"
    stripe_api.upsert_product(id, name=name)
    return id


def publish_portal() -> Iterator[str]:
    """The Customer Portal shows cards and invoices, and no buttons for what is done here."""
    if stripe_api.portal_configuration() is None:
        yield f"portal: {stripe_api.create_portal_configuration(return_url=settings.BASE_URL)}"


def create_endpoint() -> tuple[str, str]:
    """The webhook endpoint of this installation; returns its id and its secret, which Stripe shows once.
    One at the same address is deleted, once the new one is there.
    """
    url = f"{settings.BASE_URL}/webhooks/stripe/"
    before = stripe_api.endpoints_at(url)
    made = stripe_api.create_endpoint(url, events=EVENTS)
    for id in before:
        with suppress(StripeMissing):
            stripe_api.delete_endpoint(id)
    return made
