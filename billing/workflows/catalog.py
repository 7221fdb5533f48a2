"""Puts what we sell into the Stripe account: Products and Prices, the portal's settings, the webhook
endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _

from billing import stripe_api
from billing.errors import StripeMissing, StripeRefused
from billing.models import Price
from billing.money import CREDITS_PER_PACK, PACKS, cents_from_nanousd
from billing.services.prices import set_stripe_price_id
from billing.stripe_api import PriceSnapshot
from quota.models import Plan

# Stripe's ids of what Credits and API balance are sold as, and their names there, by the key of their price.
CREDITS_PRODUCT = f"tokenplan_credits_{CREDITS_PER_PACK}"
BALANCE_PRODUCT = "tokenplan_api_balance"
PACK_PRODUCTS = {
    PACKS["credits"].key: (CREDITS_PRODUCT, f"{CREDITS_PER_PACK:,} Credits"),
    PACKS["balance"].key: (BALANCE_PRODUCT, "API balance"),
}
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
    "subscription_schedule.canceled",
    "subscription_schedule.completed",
    "subscription_schedule.released",
    "subscription_schedule.updated",
    "invoice.finalization_failed",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "invoice.voided",
    "payment_intent.processing",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_method.attached",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "payment_method.updated",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "promotion_code.created",
    "promotion_code.updated",
]


def publish_prices(*, dry_run: bool = False) -> Iterator[str]:
    """Every price on sale, or once on sale, has its Price at Stripe, under its lookup key. Yields what it
    did, a line each: nothing, the second time. With `dry_run`, what it would do; then nothing is written,
    here or there. Raises StripeRefused when a lookup key is in use for another amount.
    """
    published = Q(plan=None) | Q(plan__published_at__isnull=False)
    for price in Price.objects.filter(published).select_related("plan").order_by("pk"):
        found = stripe_api.price_by_lookup_key(price.lookup_key)
        if found is not None and not _costs_as_much(found, price):
            other = _("Stripe's price %(key)s (%(id)s) costs something else; take its lookup key away there.")
            raise StripeRefused(other % {"key": price.lookup_key, "id": found.id})
        if found is None and dry_run:
            yield f"price {price.lookup_key}: would be made"
        elif not dry_run:
            product_id = _upsert_product(price)
            if found is None:
                found = _create_price(price, product_id)
                yield f"price {price.lookup_key}: {found.id}"
            set_stripe_price_id(price=price, stripe_id=found.id)


def publish_draft_prices(draft: Plan) -> None:
    """Stripe has the draft's product and prices. A price of an earlier state of the draft, which nobody can
    have bought, loses its lookup key to the one that is right.
    """
    for price in draft.prices.select_related("plan").order_by("pk"):
        product_id = _upsert_product(price)
        found = stripe_api.price_by_lookup_key(price.lookup_key)
        if found is None or not _costs_as_much(found, price):
            found = _create_price(price, product_id, in_place_of=found)
        set_stripe_price_id(price=price, stripe_id=found.id)


def _costs_as_much(found: PriceSnapshot, price: Price) -> bool:
    sold = (cents_from_nanousd(price.amount_nanousd), price.interval, "usd")
    return (found.cents, found.interval, found.currency) == sold


def _create_price(price: Price, product_id: str, in_place_of: PriceSnapshot | None = None) -> PriceSnapshot:
    """Once, however many ask at the same time: a row of ours has one Price."""
    return stripe_api.create_price(
        request=f"price-{price.lookup_key}-{price.pk}-{price.amount_nanousd}",
        lookup_key=price.lookup_key,
        product_id=product_id,
        cents=cents_from_nanousd(price.amount_nanousd),
        interval=price.interval or None,
        transfer=in_place_of is not None,
    )


def _upsert_product(price: Price) -> str:
    """One product a plan version, so that invoices name it; its id is ours."""
    if price.plan is None:
        id, name = PACK_PRODUCTS[price.lookup_key]
    else:
        id, name = f"tokenplan_{price.plan.code}_v{price.plan.version}", f"Token Plan {price.plan.name}"
    stripe_api.upsert_product(id, name=name)
    return id


def publish_portal(*, dry_run: bool = False) -> Iterator[str]:
    """The Customer Portal shows cards and invoices, and no buttons for what is done here."""
    if stripe_api.portal_configuration() is not None:
        return
    if dry_run:
        yield "portal: would be made"
    else:
        yield f"portal: {stripe_api.create_portal_configuration(return_url=settings.BASE_URL)}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The webhook endpoint of this installation. `secret` is empty where it stays as it was: Stripe shows it
    once, when the endpoint is made.
    """

    id: str
    url: str
    secret: str


def publish_endpoint(*, new_secret: bool = False) -> Endpoint:
    """The endpoint is there once, and gets all of EVENTS. One that exists keeps its secret, so that no event
    is refused meanwhile; with `new_secret` another one takes its place, and it is deleted.
    """
    url = f"{settings.BASE_URL}/webhooks/stripe/"
    before = stripe_api.endpoints_at(url)
    if before and not new_secret:
        for id in before:  # whichever of them has the secret that is set
            stripe_api.subscribe_endpoint(id, events=EVENTS)
        return Endpoint(before[0], url, "")
    made, secret = stripe_api.create_endpoint(url, events=EVENTS)
    for id in before:
        with suppress(StripeMissing):
            stripe_api.delete_endpoint(id)
    return Endpoint(made, url, secret)
