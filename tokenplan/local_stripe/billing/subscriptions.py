"""How a subscription begins and what it bills when it does, and the prorations that wait for its next
invoice.

`now` is the customer's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tokenplan.local_stripe.billing import invoice_payments, invoices, subscription_status
from tokenplan.local_stripe.billing.catalog import one_currency
from tokenplan.local_stripe.billing.discounts import begin, still_given
from tokenplan.local_stripe.billing.invoice_drafts import (
    CHARGED,
    SENT,
    InvoiceTerms,
    draft_invoice,
    save_draft,
)
from tokenplan.local_stripe.billing.invoice_lines import invoice_item_line
from tokenplan.local_stripe.billing.prorations import full_period_lines
from tokenplan.local_stripe.billing.subscription_items import first_items, item_list
from tokenplan.local_stripe.billing.taxes import refuse_unknown_location
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.dates import HOUR
from tokenplan.local_stripe.objects.errors import Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store

# Seconds that a first payment, or a pending update, may take.
PAYMENT_WINDOW = 23 * HOUR
# What happens when a payment does not go through (`payment_behavior`).
ALLOW, DEFAULT, ERROR, PENDING = (
    "allow_incomplete",
    "default_incomplete",
    "error_if_incomplete",
    "pending_if_incomplete",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription:
    """What is to be subscribed to. `items` are prices and quantities; `discounts` are drafted ones, stored
    when it begins. `intent`: a payment, succeeded or processing, that was made before, as on a checkout's
    page, of what `first_invoice` said is due.
    """

    customer_id: str
    items: Sequence[Mapping[str, Any]]
    metadata: Mapping[str, str] = field(default_factory=dict)
    payment_method_id: str | None = None
    discounts: Sequence[Object] = ()
    payment_behavior: str = ALLOW
    intent: Object | None = None
    tax: bool = False
    off_session: bool = False
    description: str | None = None
    payment_settings: Mapping[str, Any] = field(default_factory=dict)
    collection_method: str = CHARGED
    days_until_due: int | None = None


def preview_first_invoice(
    store: Store,
    *,
    customer_id: str | None,
    items: Sequence[Mapping[str, Any]],
    discounts: Sequence[Object],
    tax: bool = False,
    address: Mapping[str, Any] | None = None,
    now: int,
) -> Object:
    """The first invoice of a subscription to these prices and quantities, not stored: what it will cost a
    customer at this address, if that is not the stored one.
    """
    customer = store.get("customer", customer_id, "customer") if customer_id else None
    id = store.new_id("sub")
    rows = first_items(store, items, subscription_id=id, now=now)
    subscription = {"id": id, "metadata": {}, "items": item_list(id, rows), "automatic_tax": {"enabled": tax}}
    return _first_invoice(store, subscription, customer, discounts, now, address=address)


def create(store: Store, new: NewSubscription, now: int) -> Object:
    """Begins a subscription and collects its first invoice. Raises Declined where `payment_behavior` is ERROR
    and the payment does not go through; nothing is left of the subscription then.
    """
    refuse_unknown_location(store, new.customer_id, enabled=new.tax)
    subscription = _new_subscription(store, new, now)
    id, rows = subscription["id"], subscription["items"]["data"]
    discounts = begin(store, new.discounts, subscription=id)
    customer = store.get("customer", new.customer_id, "customer")
    invoice = _first_invoice(store, subscription, customer, discounts, now)
    _, nets = full_period_lines(store, rows, discounts)
    store.save({**subscription_status.billing_state(store, id), "nets": nets})
    still = still_given(store, (discount["id"] for discount in discounts), now)
    subscription = store.save({**subscription, "latest_invoice": invoice["id"], "discounts": still})
    save_draft(store, invoice, now)
    emit(store, "customer.subscription.created", subscription, now)
    if new.collection_method == SENT:
        return subscription
    invoice = invoices.finalize(store, invoice, now, intent=new.intent)
    if invoice["status"] == "open" and new.intent is None and new.payment_behavior != DEFAULT:
        collect(store, invoice, now, behavior=new.payment_behavior, off_session=new.off_session)
    return store.get("subscription", id)


def collect(
    store: Store, invoice: Object, now: int, *, behavior: str, off_session: bool, automatic: bool = False
) -> Object:
    """Tries to take the money of an open invoice. Returns the invoice, which tells what came of it. Raises
    Declined where the `behavior` is ERROR and it is refused; what was stored in this request is then undone.
    """
    invoice = invoices.pay(store, invoice, now=now, off_session=off_session, automatic=automatic)
    refusal = invoice_payments.refused(store, invoice) if invoice["status"] == "open" else None
    if refusal and behavior == ERROR:
        refusal.kept = False
        raise refusal
    return invoice


def waiting_items(store: Store, subscription_id: str) -> list[Object]:
    """Prorations that the next invoice will have, the oldest first."""
    owner = {"parent__subscription_details__subscription": subscription_id}
    return store.all("invoiceitem", invoice=None, **owner)[::-1]


def put_on_invoice(store: Store, items: Sequence[Object], invoice_id: str) -> None:
    """These invoice items wait no longer: this invoice has them."""
    for row in items:
        store.save({**row, "invoice": invoice_id})


def last_invoice(store: Store, subscription: Object, reason: str, now: int) -> Object | None:
    """The invoice of the prorations that still wait when a subscription ends, not stored. None where none
    do.
    """
    rows = waiting_items(store, subscription["id"])
    if not rows:
        return None
    return draft_invoice(
        store,
        InvoiceTerms(
            customer=store.get("customer", subscription["customer"]),
            lines=[invoice_item_line(store, row) for row in rows],
            reason=reason,
            now=now,
            subscription=subscription,
            tax=subscription["automatic_tax"]["enabled"],
        ),
    )


def bill_waiting_items(store: Store, subscription: Object, reason: str, now: int) -> Object:
    """Bills and collects what `last_invoice` has. Returns the subscription."""
    invoice = last_invoice(store, subscription, reason, now)
    if invoice is None:
        return subscription
    put_on_invoice(store, waiting_items(store, subscription["id"]), invoice["id"])
    store.save({**subscription, "latest_invoice": invoice["id"]})
    invoice = invoices.finalize(store, save_draft(store, invoice, now), now)
    if invoice["status"] == "open" and not _is_sent(subscription):
        invoices.pay(store, invoice, now=now, off_session=True, automatic=True)
    return store.get("subscription", subscription["id"])


def _first_invoice(
    store: Store,
    subscription: Object,
    customer: Object | None,
    discounts: Sequence[Object],
    now: int,
    *,
    address: Mapping[str, Any] | None = None,
) -> Object:
    return draft_invoice(
        store,
        InvoiceTerms(
            customer=customer,
            lines=full_period_lines(store, subscription["items"]["data"], discounts)[0],
            discounts=discounts,
            reason="subscription_create",
            now=now,
            subscription=subscription,
            finalizes_at=now + invoices.DRAFT_LASTS if _is_sent(subscription) else None,
            tax=subscription["automatic_tax"]["enabled"],
            address=address,
        ),
    )


def _is_sent(subscription: Object) -> bool:
    return bool(subscription.get("collection_method") == SENT)


def _new_subscription(store: Store, new: NewSubscription, now: int) -> Object:
    customer = store.get("customer", new.customer_id, "customer")
    id = store.new_id("sub")
    rows = first_items(store, new.items, subscription_id=id, now=now)
    return blank(
        "subscription",
        id=id,
        automatic_tax={"enabled": True, "liability": {"type": "self"}} if new.tax else {},
        billing_cycle_anchor=now,
        billing_mode={"updated_at": now},
        created=now,
        currency=one_currency((item["price"] for item in rows), customer),
        customer=new.customer_id,
        default_payment_method=new.payment_method_id,
        description=new.description,
        items=item_list(id, rows),
        metadata=dict(new.metadata),
        collection_method=new.collection_method,
        days_until_due=new.days_until_due,
        status="active" if new.collection_method == SENT else "incomplete",
        payment_settings=dict(new.payment_settings),
        start_date=now,
        test_clock=customer["test_clock"],
    )
