"""Subscriptions: what one will cost, and how it begins. `now` is the customer's time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenplan.local_stripe.billing import invoices, subscription_status
from tokenplan.local_stripe.billing import subscription_items as items_of
from tokenplan.local_stripe.billing.discounts import begin, still_given
from tokenplan.local_stripe.billing.invoice_drafts import drafted, keep
from tokenplan.local_stripe.billing.invoice_lines import of_invoice_item
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.dates import HOUR
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store

# Seconds that a first payment, or a pending update, waits.
WAITS = 23 * HOUR
ALLOW, DEFAULT, ERROR, PENDING = (
    "allow_incomplete",
    "default_incomplete",
    "error_if_incomplete",
    "pending_if_incomplete",
)


def quote(
    store: Store,
    *,
    customer: str | None,
    given: Sequence[Mapping[str, Any]],
    now: int,
    discounts: Sequence[Object] = (),
    subscription: Object | None = None,
    rows: Sequence[Object] | None = None,
    **fields: Any,
) -> Object:
    """The first invoice of a subscription to these prices and quantities, not kept: what it will cost."""
    owner = store.get("customer", customer, "customer") if customer else None
    own = subscription or {"id": store.new_id("sub"), "metadata": {}}
    rows = rows or items_of.wanted(store, given, subscription=own["id"], now=now)
    return drafted(
        store,
        customer=owner,
        lines=items_of.full_lines(store, rows, discounts)[0],
        discounts=discounts,
        reason="subscription_create",
        now=now,
        subscription=own,
        **fields,
    )


def create(
    store: Store,
    *,
    customer: str,
    items: Sequence[Mapping[str, Any]],
    metadata: Mapping[str, str],
    payment_method: str | None,
    now: int,
    discounts: Sequence[Object] = (),
    payment_behavior: str = ALLOW,
    intent: Object | None = None,
    tax: bool = False,
    off_session: bool = False,
    description: str | None = None,
) -> Object:
    """`items` are prices and quantities; `discounts` are drafted ones, kept here. `intent`: a payment that
    was made before, as on a checkout's page, of what `quote` said is due; it succeeded or is processing.

    Raises Declined, and nothing is left of it, where ERROR was asked for and the payment does not go through.
    """
    return _begun(
        store,
        _new(store, customer, items, metadata, payment_method, now, tax, description),
        now=now,
        discounts=discounts,
        behavior=payment_behavior,
        intent=intent,
        off_session=off_session,
    )


def _begun(
    store: Store,
    subscription: Object,
    *,
    now: int,
    discounts: Sequence[Object],
    behavior: str,
    intent: Object | None,
    off_session: bool,
) -> Object:
    id, rows = subscription["id"], subscription["items"]["data"]
    own = begin(store, discounts, subscription=id)
    invoice = quote(
        store,
        customer=subscription["customer"],
        given=(),
        now=now,
        discounts=own,
        subscription=subscription,
        rows=rows,
        tax=subscription["automatic_tax"]["enabled"],
    )
    _, nets = items_of.full_lines(store, rows, own)
    store.save({**subscription_status.book(store, id), "nets": nets})
    still = still_given(store, (discount["id"] for discount in own), now)
    subscription = store.save({**subscription, "latest_invoice": invoice["id"], "discounts": still})
    keep(store, invoice, now)
    emit(store, "customer.subscription.created", subscription, now)
    invoice = invoices.finalize(store, invoice, now, intent=intent)
    if invoice["status"] == "open" and intent is None and behavior != DEFAULT:
        tried(store, invoice, now, behavior=behavior, off_session=off_session)
    return store.get("subscription", id)


def pending_items(store: Store, subscription: str) -> list[Object]:
    """Prorations that the next invoice will have, the oldest first."""
    owner = {"parent__subscription_details__subscription": subscription}
    return store.all("invoiceitem", invoice=None, **owner)[::-1]


def sweep(store: Store, rows: Sequence[Object], invoice: str) -> None:
    """They are on this invoice now."""
    for row in rows:
        store.save({**row, "invoice": invoice})


def last_invoice(store: Store, subscription: Object, reason: str, now: int) -> Object | None:
    """Of a subscription that ends: the prorations that wait. None where none do; not kept."""
    rows = pending_items(store, subscription["id"])
    if not rows:
        return None
    return drafted(
        store,
        customer=store.get("customer", subscription["customer"]),
        lines=[of_invoice_item(store, row) for row in rows],
        discounts=[],
        reason=reason,
        now=now,
        subscription=subscription,
    )


def bill_waiting(store: Store, subscription: Object, reason: str, now: int) -> Object:
    """Its last invoice, collected."""
    invoice = last_invoice(store, subscription, reason, now)
    if invoice is None:
        return subscription
    sweep(store, pending_items(store, subscription["id"]), invoice["id"])
    store.save({**subscription, "latest_invoice": invoice["id"]})
    invoice = invoices.finalize(store, keep(store, invoice, now), now)
    if invoice["status"] == "open":
        invoices.pay(store, invoice, now=now, off_session=True, automatic=True)
    return store.get("subscription", subscription["id"])


def tried(
    store: Store, invoice: Object, now: int, *, behavior: str, off_session: bool, automatic: bool = False
) -> Object:
    """A payment of the invoice; what came of it is the invoice's, or, with ERROR, a refusal."""
    invoice = invoices.pay(store, invoice, now=now, off_session=off_session, automatic=automatic)
    refusal = invoices.refused(store, invoice) if invoice["status"] == "open" else None
    if refusal and behavior == ERROR:
        refusal.kept = False
        raise refusal
    return invoice


def _new(
    store: Store,
    customer: str,
    given: Sequence[Mapping[str, Any]],
    metadata: Mapping[str, str],
    payment_method: str | None,
    now: int,
    tax: bool,
    description: str | None,
) -> Object:
    owner = store.get("customer", customer, "customer")
    id = store.new_id("sub")
    return blank(
        "subscription",
        id=id,
        automatic_tax={"enabled": tax, "liability": {"type": "self"} if tax else None},
        billing_cycle_anchor=now,
        billing_mode={"updated_at": now},
        created=now,
        customer=customer,
        default_payment_method=payment_method,
        description=description,
        items=items_of.listed(id, items_of.wanted(store, given, subscription=id, now=now)),
        metadata=dict(metadata),
        start_date=now,
        test_clock=owner["test_clock"],
    )
