"""Invoices finalized, paid and voided; the subscription that an invoice bills follows each of it.

`now` is the customer's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokenplan.local_stripe.billing import subscription_status
from tokenplan.local_stripe.billing.invoice_drafts import (
    InvoiceTerms,
    customer_fields,
    draft_invoice,
    opened,
    repriced,
    save_draft,
)
from tokenplan.local_stripe.billing.invoice_lines import one_time_line
from tokenplan.local_stripe.billing.invoice_payments import default_method, link, payment_of, usable_for
from tokenplan.local_stripe.billing.taxes import UnknownLocation
from tokenplan.local_stripe.objects.amounts import settled
from tokenplan.local_stripe.objects.dates import DAY, HOUR
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments import payment_intents

# Days from one failed attempt of Stripe's own to the next. Stripe picks them by itself; here they are fixed.
RETRY_DAYS = (3, 5, 7)
# Seconds after which a draft that advances by itself is finalized.
DRAFT_LASTS = HOUR
# The statuses of an invoice that can be paid: a debt that was written off can be paid all the same.
PAYABLE = ("open", "uncollectible")
PAYMENT_DESCRIPTIONS = {
    "subscription_create": "Subscription creation",
    "subscription_cycle": "Subscription update",
    "subscription_update": "Subscription update",
}


def finalize(store: Store, invoice: Object, now: int, *, intent: Object | None = None) -> Object:
    """Gives the invoice its number and charges it to the customer's balance; a total below zero is added to
    the balance. Where nothing is due then, it is paid. Returns the invoice.

    `intent`: a payment of what is due that was tried before, as on a checkout's page; without one, a payment
    that waits for a payment method is made. Raises ApiError for an invoice that is no draft, and
    UnknownLocation where its tax cannot be calculated: it stays a draft, and says why.
    """
    if invoice["status"] != "draft":
        raise ApiError(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
            code="invoice_not_editable",
        )
    customer = store.get("customer", invoice["customer"])
    if invoice["automatic_tax"]["enabled"]:
        invoice = repriced(store, invoice, customer)
        if invoice["automatic_tax"]["status"] != "complete":
            raise _not_finalized(store, invoice, now)
    balance = customer["balance"]
    due, ending = settled(invoice["total"], balance)
    invoice = {**opened(store, invoice, customer, now), "last_finalization_error": None}
    customer |= {"next_invoice_sequence": customer["next_invoice_sequence"] + 1, "balance": ending}
    store.save(customer)
    if ending != balance:
        emit(store, "customer.updated", customer, now, {"balance": balance})
    invoice = {
        **invoice,
        **customer_fields(store, customer),
        "amount_due": due,
        "amount_remaining": due,
        "starting_balance": balance,
        "ending_balance": ending,
    }
    emit(store, "invoice.finalized", store.save(invoice), now)
    if not due:
        return _paid(store, invoice, now)
    if intent is not None:
        if intent["amount"] != due:
            raise ApiError(f"The payment is of {intent['amount']}, the invoice of {due}.")
        link(store, invoice, intent, now)
        return intent_changed(store, intent, now) or invoice
    text = PAYMENT_DESCRIPTIONS.get(invoice["billing_reason"], f"Payment for Invoice {invoice['number']}")
    intent = payment_intents.new_intent(
        store,
        customer_id=customer["id"],
        amount=due,
        now=now,
        metadata={},
        description=text,
        currency=invoice["currency"],
    )
    link(store, invoice, intent, now)
    return invoice


def _not_finalized(store: Store, invoice: Object, now: int) -> UnknownLocation:
    """Stores why the draft stays one. Stripe does not try again by itself."""
    refusal = UnknownLocation(kept=True)
    fields = {"last_finalization_error": refusal.body, "automatically_finalizes_at": None}
    invoice = store.save({**invoice, **fields, "next_payment_attempt": None})
    emit(store, "invoice.finalization_failed", invoice, now)
    return refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutReceipt:
    """What a paid checkout is invoiced for: prices and quantities, and the payment intent, which has
    succeeded (None where nothing was to be paid).
    """

    customer_id: str
    prices: Sequence[tuple[Object, int]]
    discounts: Sequence[Object]
    metadata: Mapping[str, str]
    intent: Object | None
    tax: bool = False


def invoice_checkout(store: Store, receipt: CheckoutReceipt, now: int) -> Object:
    """The paid invoice of a checkout. The customer's balance is left alone, as Stripe does there."""
    customer = store.get("customer", receipt.customer_id)
    invoice = draft_invoice(
        store,
        InvoiceTerms(
            customer={**customer, "balance": 0},
            lines=[one_time_line(store, price, quantity, now) for price, quantity in receipt.prices],
            discounts=receipt.discounts,
            reason="manual",
            now=now,
            metadata=receipt.metadata,
            auto_advance=False,
            tax=receipt.tax,
        ),
    )
    for discount in receipt.discounts:
        store.save({**discount, "invoice": invoice["id"]})
    save_draft(store, invoice, now)
    invoice = opened(store, invoice, customer, now)
    numbered = {"next_invoice_sequence": customer["next_invoice_sequence"] + 1}
    store.save({**store.get("customer", customer["id"]), **numbered})
    due = receipt.intent["amount"] if receipt.intent else 0
    invoice |= {"amount_due": due, "amount_remaining": due, "ending_balance": 0}
    emit(store, "invoice.finalized", store.save(invoice), now)
    if receipt.intent is None:
        return _paid(store, invoice, now)
    link(store, invoice, receipt.intent, now)
    return intent_changed(store, receipt.intent, now) or invoice


def pay(
    store: Store,
    invoice: Object,
    *,
    now: int,
    payment_method_id: str | None = None,
    off_session: bool = False,
    automatic: bool = False,
) -> Object:
    """Tries to take the money with this payment method, or else the default one. Returns the invoice, which
    tells what came of it: `paid`, or `open` still.

    `automatic`: an attempt of Stripe's own. It is counted, followed by the next one, and not refused for want
    of a payment method. Raises ApiError where there is nothing to pay, or nothing to pay with.
    """
    if invoice["status"] == "draft":
        invoice = finalize(store, invoice, now)
        if invoice["status"] == "paid":
            return invoice
    if invoice["status"] not in PAYABLE:
        paid = invoice["status"] == "paid"
        raise ApiError("Invoice is already paid" if paid else "You can only pay open invoices.")
    method = payment_method_id or default_method(store, invoice)
    intent = store.get("payment_intent", payment_of(store, invoice)["payment"]["payment_intent"])
    if automatic:
        invoice = {**invoice, "next_payment_attempt": None}
        if intent["status"] == "processing":
            return store.save(invoice)
        invoice = store.save({**invoice, "attempt_count": invoice["attempt_count"] + 1})
        if method is None:
            return _failed(store, invoice, now)
    if method is None:
        raise ApiError(
            "This customer has no attached payment source or default payment method. Please consider adding a"
            " default payment method.",
            code="resource_missing",
        )
    method = usable_for(store, invoice, method, now)
    intent = payment_intents.confirm(store, intent, method, off_session=off_session, now=now)
    return intent_changed(store, intent, now, automatic=automatic) or invoice


def intent_changed(store: Store, intent: Object, now: int, *, automatic: bool = False) -> Object | None:
    """Makes the invoice that the intent pays, and the subscription it bills, follow the intent: paid, failed,
    or waiting for the customer or the bank. Returns the invoice; None where the intent pays none.
    """
    row = next(iter(store.all("invoice_payment", payment__payment_intent=intent["id"])), None)
    if row is None:
        return None
    invoice = store.get("invoice", row["invoice"])
    if invoice["status"] not in PAYABLE:
        return invoice
    if not invoice["attempted"]:
        count = max(1, invoice["attempt_count"])
        invoice = store.save({**invoice, "attempted": True, "attempt_count": count})
    if intent["status"] == "succeeded":
        return _paid(store, invoice, now, row)
    if intent["status"] == "processing":
        subscription_status.processing(store, invoice, now)
    elif intent["status"] == "requires_action":
        emit(store, "invoice.payment_action_required", invoice, now)
        if automatic:
            return _failed(store, invoice, now)
    elif intent["status"] == "requires_payment_method":
        error = intent["last_payment_error"] or {"payment_method": {"type": "card"}}
        return _failed(store, invoice, now, retried=error["payment_method"]["type"] != "us_bank_account")
    return invoice


def void(store: Store, invoice: Object, now: int) -> Object:
    """Cancels what is owed for it; what it took from the customer's balance is given back. Raises ApiError
    for one that is not open, or whose payment is under way.
    """
    if invoice["status"] not in PAYABLE:
        raise ApiError("You can only pass in open invoices. This invoice isn't open.")
    row = payment_of(store, invoice)
    intent = store.get("payment_intent", row["payment"]["payment_intent"])
    if intent["status"] == "processing":
        raise ApiError("You can't void an invoice while a payment of it is processing.")
    if intent["status"] != "canceled":
        payment_intents.cancel(store, intent, reason="void_invoice", now=now)
    moved = {**row["status_transitions"], "canceled_at": now}
    store.save({**row, "status": "canceled", "status_transitions": moved})
    customer = store.get("customer", invoice["customer"])
    used = invoice["ending_balance"] - invoice["starting_balance"]
    if used:
        before = {"balance": customer["balance"]}
        customer["balance"] -= used
        emit(store, "customer.updated", store.save(customer), now, before)
    invoice = {
        **invoice,
        "status": "void",
        "status_details": None,
        "auto_advance": False,
        "next_payment_attempt": None,
        "status_transitions": {**invoice["status_transitions"], "voided_at": now},
    }
    emit(store, "invoice.voided", store.save(invoice), now)
    subscription_status.voided(store, invoice, now)
    return invoice


def mark_uncollectible(store: Store, invoice: Object, now: int) -> Object:
    """Writes the debt off. At Stripe, too, the subscription then counts as if it had been paid: an overdue
    one is active again. Raises ApiError for an invoice that is not open.
    """
    if invoice["status"] != "open":
        raise ApiError("You can only mark open invoices as uncollectible. This invoice isn't open.")
    before = {name: invoice[name] for name in ("status", "auto_advance", "next_payment_attempt")}
    invoice = {
        **invoice,
        "status": "uncollectible",
        "auto_advance": False,
        "next_payment_attempt": None,
        "status_details": {"uncollectible": {"reason": "user_forgiven"}},
        "status_transitions": {**invoice["status_transitions"], "marked_uncollectible_at": now},
    }
    emit(store, "invoice.updated", store.save(invoice), now, before)
    emit(store, "invoice.marked_uncollectible", invoice, now)
    subscription_status.written_off(store, invoice, now)
    return invoice


def drop_pending_update(store: Store, subscription: Object, now: int) -> Object:
    """Drops the subscription's pending update, if any, by voiding its invoice. Returns the subscription."""
    pending = subscription_status.billing_state(store, subscription["id"])["pending"]
    if pending:
        void(store, store.get("invoice", pending["invoice"]), now)
    return store.get("subscription", subscription["id"])


def _paid(store: Store, invoice: Object, now: int, row: Object | None = None) -> Object:
    before = {name: invoice[name] for name in ("status", "amount_paid", "amount_remaining")}
    if row:
        moved = {**row["status_transitions"], "paid_at": now}
        store.save(
            {**row, "status": "paid", "amount_paid": invoice["amount_due"], "status_transitions": moved}
        )
    invoice = {
        **invoice,
        "status": "paid",
        "attempted": True,
        "status_details": None,
        "amount_paid": invoice["amount_due"],
        "amount_remaining": 0,
        "next_payment_attempt": None,
        "status_transitions": {**invoice["status_transitions"], "paid_at": now},
    }
    emit(store, "invoice.updated", store.save(invoice), now, before)
    emit(store, "invoice.paid", invoice, now)
    emit(store, "invoice.payment_succeeded", invoice, now)
    subscription_status.paid(store, invoice, now)
    return invoice


def _failed(store: Store, invoice: Object, now: int, *, retried: bool = True) -> Object:
    """An invoice that Stripe collects by itself is tried again later, unless it was a bank debit that failed
    (not `retried`). A failed attempt of somebody else's does not change when.
    """
    subscription = subscription_status.subscription_of(store, invoice)
    waits = subscription is None or subscription["status"] in ("incomplete", *subscription_status.OVER)
    retries = retried and invoice["auto_advance"] and not waits and invoice["next_payment_attempt"] is None
    tried = invoice["attempt_count"]
    if retries and tried <= len(RETRY_DAYS):
        invoice = {**invoice, "next_payment_attempt": now + RETRY_DAYS[tried - 1] * DAY}
    invoice = store.save({**invoice, "attempted": True})
    emit(store, "invoice.payment_failed", invoice, now)
    if invoice["status"] == "uncollectible":
        return invoice
    subscription_status.failed(store, invoice, now)
    if subscription and retries and tried > len(RETRY_DAYS):
        drop_pending_update(store, subscription, now)
        subscription_status.exhausted(store, invoice, now)
    return store.get("invoice", invoice["id"])
