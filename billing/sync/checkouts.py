"""A checkout session, and what was bought by it."""

from __future__ import annotations

from datetime import datetime

from billing import stripe_api
from billing.fetch import fetch
from billing.models import Checkout, CreditPurchase
from billing.services import checkouts, purchases
from billing.stripe_api.reading import readable
from billing.stripe_api.snapshots import CheckoutSnapshot
from billing.sync.customers import sync_customer
from billing.sync.invoices import sync_invoice
from billing.sync.payments import is_uuid, sync_payment
from billing.sync.subscriptions import sync_subscription

# A payment in one of these statuses will not come by itself any more.
DEAD = {"requires_payment_method", "canceled"}


def sync_checkout_session(id: str, at: datetime) -> list[str]:
    """`id` is Stripe's. If no row of ours has it, the row is found by our reference in the session."""
    checkout = Checkout.objects.select_related("team").filter(stripe_id=id).first()
    if checkout is None:
        reference = stripe_api.checkout(id).reference
        known = Checkout.objects.select_related("team").filter(pk=reference) if is_uuid(reference) else None
        checkout = known.first() if known is not None else None
    return sync_checkout(checkout, at, session_id=id) if checkout else []


def sync_checkout(checkout: Checkout, at: datetime, *, session_id: str = "") -> list[str]:
    """Syncs what was bought first and the session's own row last. The session stays open until then, so that
    nothing is bought a second time meanwhile.
    """
    id = session_id or checkout.stripe_id or ""
    if not id:
        return []
    fetched = fetch(lambda: stripe_api.checkout(id))
    snapshot = fetched.value
    changed: list[str] = []
    if snapshot.status == "complete":
        if snapshot.subscription_id:
            changed += sync_subscription(snapshot.subscription_id, at)
        if checkout.kind != Checkout.Kind.SUBSCRIPTION and snapshot.paid:
            changed += _grant(checkout, snapshot, at)
        if snapshot.invoice_id:  # the subscription that it bills has just been synced
            changed += sync_invoice(snapshot.invoice_id, at, with_subscription=not snapshot.subscription_id)
        if snapshot.customer_id:
            changed += sync_customer(snapshot.customer_id, at)  # it has a card now
    changed += checkouts.apply_checkout(checkout=checkout, fetched=fetched, at=at)
    if snapshot.status == "complete" and not snapshot.paid:
        changed += _close_if_payment_failed(checkout, snapshot, at)
    return changed


def _grant(checkout: Checkout, snapshot: CheckoutSnapshot, at: datetime) -> list[str]:
    purchase = CreditPurchase.objects.select_related("team").get(checkout=checkout)
    changed = purchases.grant_purchase(
        purchase=purchase, payment_id=snapshot.payment_id, invoice_id=snapshot.invoice_id, at=at
    )
    return changed + (sync_payment(snapshot.payment_id, at) if snapshot.payment_id else [])


def _close_if_payment_failed(checkout: Checkout, snapshot: CheckoutSnapshot, at: datetime) -> list[str]:
    """A delayed payment that has failed ends the session, and the subscription that was never paid for."""
    payment_id = snapshot.payment_id
    if snapshot.subscription_id:
        bills = stripe_api.invoices(snapshot.customer_id, subscription=snapshot.subscription_id)
        bill = next(readable(bills), None)
        payment_id = bill.payment_id if bill else ""
    if not payment_id or stripe_api.payment(payment_id).status not in DEAD:
        return []
    checkouts.close_checkout(checkout=checkout, state=Checkout.State.FAILED, at=at)
    if not snapshot.subscription_id:
        return [f"checkout {snapshot.id}: the payment failed"]
    stripe_api.end_subscription(snapshot.subscription_id)
    changed = sync_subscription(snapshot.subscription_id, at)
    return [f"checkout {snapshot.id}: the payment failed", *changed]
