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
    save_draft,
)
from tokenplan.local_stripe.billing.invoice_lines import one_time_line
from tokenplan.local_stripe.objects.amounts import settled
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.dates import DAY, HOUR
from tokenplan.local_stripe.objects.errors import ApiError, Declined, Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments import payment_intents, payment_methods

# Days from one failed attempt of Stripe's own to the next. Stripe picks them by itself; here they are fixed.
RETRY_DAYS = (3, 5, 7)
# Seconds after which a draft that advances by itself is finalized.
DRAFT_LASTS = HOUR
PAYMENT_DESCRIPTIONS = {
    "subscription_create": "Subscription creation",
    "subscription_cycle": "Subscription update",
    "subscription_update": "Subscription update",
}


def finalize(store: Store, invoice: Object, now: int, *, intent: Object | None = None) -> Object:
    """Gives the invoice its number and charges it to the customer's balance; a total below zero is added to
    the balance. Where nothing is due then, it is paid. Returns the invoice.

    `intent`: a payment of what is due that was tried before, as on a checkout's page; without one, a payment
    that waits for a payment method is made. Raises ApiError for an invoice that is no draft.
    """
    if invoice["status"] != "draft":
        raise ApiError(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
            code="invoice_not_editable",
        )
    customer = store.get("customer", invoice["customer"])
    balance = customer["balance"]
    due, ending = settled(invoice["total"], balance)
    invoice = opened(store, invoice, customer, now)
    customer |= {"next_invoice_sequence": customer["next_invoice_sequence"] + 1, "balance": ending}
    store.save(customer)
    if ending != balance:
        emit(store, "customer.updated", customer, now, {"balance": balance})
    invoice = {
        **invoice,
        **customer_fields(customer),
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
        _link(store, invoice, intent, now)
        return intent_changed(store, intent, now) or invoice
    text = PAYMENT_DESCRIPTIONS.get(invoice["billing_reason"], f"Payment for Invoice {invoice['number']}")
    intent = payment_intents.new_intent(
        store, customer_id=customer["id"], amount=due, now=now, metadata={}, description=text
    )
    _link(store, invoice, intent, now)
    return invoice


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
        ),
    )
    for discount in receipt.discounts:
        store.save({**discount, "invoice": invoice["id"]})
    save_draft(store, invoice, now)
    invoice = opened(store, invoice, customer, now)
    store.save({**customer, "next_invoice_sequence": customer["next_invoice_sequence"] + 1})
    due = receipt.intent["amount"] if receipt.intent else 0
    invoice |= {"amount_due": due, "amount_remaining": due, "ending_balance": 0}
    emit(store, "invoice.finalized", store.save(invoice), now)
    if receipt.intent is None:
        return _paid(store, invoice, now)
    _link(store, invoice, receipt.intent, now)
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
    if invoice["status"] != "open":
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
    method = _usable_for(store, invoice, method, now)
    intent = payment_intents.confirm(store, intent, method, off_session=off_session, now=now)
    return intent_changed(store, intent, now, automatic=automatic) or invoice


def types_of(invoice: Object) -> Sequence[str]:
    """The types of payment methods that can pay it."""
    return invoice["payment_settings"]["payment_method_types"] or payment_methods.TYPES


def _usable_for(store: Store, invoice: Object, method_id: str, now: int) -> str:
    """The id of the payment method; of a new one, where a test id is given. Raises ApiError for one that
    cannot pay this invoice.
    """
    method = payment_methods.method_of(store, method_id, now=now)
    if method["type"] not in types_of(invoice):
        raise ApiError(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this invoice. Please attach a"
            f" PaymentMethod of one of these types: {', '.join(types_of(invoice))}.",
            param="payment_method",
        )
    if subscription_status.is_pending(store, invoice):
        payment_methods.refuse_debit(store, method["id"], param="payment_method")
    return str(method["id"])


def refused(store: Store, invoice: Object) -> Declined | None:
    """The error for a caller whose payment did not go through; None where it was not refused."""
    intent = store.get("payment_intent", payment_of(store, invoice)["payment"]["payment_intent"])
    if intent["status"] == "requires_action":
        return Declined(
            "This payment requires additional user action before it can be completed successfully.",
            code="invoice_payment_intent_requires_action",
            payment_intent=intent,
        )
    error = intent["last_payment_error"]
    if intent["status"] != "requires_payment_method" or error is None:
        return None
    return Declined(
        error["message"],
        code=error["code"],
        decline_code=error.get("decline_code", ""),
        payment_intent=intent,
    )


def intent_changed(store: Store, intent: Object, now: int, *, automatic: bool = False) -> Object | None:
    """Makes the invoice that the intent pays, and the subscription it bills, follow the intent: paid, failed,
    or waiting for the customer or the bank. Returns the invoice; None where the intent pays none.
    """
    link = next(iter(store.all("invoice_payment", payment__payment_intent=intent["id"])), None)
    if link is None:
        return None
    invoice = store.get("invoice", link["invoice"])
    if invoice["status"] != "open":
        return invoice
    if not invoice["attempted"]:
        count = max(1, invoice["attempt_count"])
        invoice = store.save({**invoice, "attempted": True, "attempt_count": count})
    if intent["status"] == "succeeded":
        return _paid(store, invoice, now, link)
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
    if invoice["status"] != "open":
        raise ApiError("You can only pass in open invoices. This invoice isn't open.")
    link = payment_of(store, invoice)
    intent = store.get("payment_intent", link["payment"]["payment_intent"])
    if intent["status"] == "processing":
        raise ApiError("You can't void an invoice while a payment of it is processing.")
    if intent["status"] != "canceled":
        payment_intents.cancel(store, intent, reason="void_invoice", now=now)
    moved = {**link["status_transitions"], "canceled_at": now}
    store.save({**link, "status": "canceled", "status_transitions": moved})
    customer = store.get("customer", invoice["customer"])
    used = invoice["ending_balance"] - invoice["starting_balance"]
    if used:
        before = {"balance": customer["balance"]}
        customer["balance"] -= used
        emit(store, "customer.updated", store.save(customer), now, before)
    invoice = {
        **invoice,
        "status": "void",
        "auto_advance": False,
        "next_payment_attempt": None,
        "status_transitions": {**invoice["status_transitions"], "voided_at": now},
    }
    emit(store, "invoice.voided", store.save(invoice), now)
    subscription_status.voided(store, invoice, now)
    return invoice


def drop_pending_update(store: Store, subscription: Object, now: int) -> Object:
    """Drops the subscription's pending update, if any, by voiding its invoice. Returns the subscription."""
    pending = subscription_status.billing_state(store, subscription["id"])["pending"]
    if pending:
        void(store, store.get("invoice", pending["invoice"]), now)
    return store.get("subscription", subscription["id"])


def default_method(store: Store, invoice: Object) -> str | None:
    """The id of the payment method an invoice is charged to: its own, its subscription's, or its
    customer's.
    """
    own: str | None = invoice["default_payment_method"]
    subscription = subscription_status.subscription_of(store, invoice)
    return own or method_of_subscription(store, subscription or {"customer": invoice["customer"]})


def method_of_subscription(store: Store, subscription: Object) -> str | None:
    """The id of its own default payment method, which comes first, or else its customer's."""
    customer = store.get("customer", subscription["customer"])
    own: str | None = subscription.get("default_payment_method")
    return own or customer["invoice_settings"]["default_payment_method"]


def payment_of(store: Store, invoice: Object) -> Object:
    """The invoice payment, which links a finalized invoice to its payment intent."""
    return store.all("invoice_payment", invoice=invoice["id"])[0]


def _paid(store: Store, invoice: Object, now: int, link: Object | None = None) -> Object:
    before = {name: invoice[name] for name in ("status", "amount_paid", "amount_remaining")}
    if link:
        moved = {**link["status_transitions"], "paid_at": now}
        store.save(
            {**link, "status": "paid", "amount_paid": invoice["amount_due"], "status_transitions": moved}
        )
    invoice = {
        **invoice,
        "status": "paid",
        "attempted": True,
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
    subscription_status.failed(store, invoice, now)
    if subscription and retries and tried > len(RETRY_DAYS):
        drop_pending_update(store, subscription, now)
        subscription_status.exhausted(store, invoice, now)
    return store.get("invoice", invoice["id"])


def _link(store: Store, invoice: Object, intent: Object, now: int) -> Object:
    return store.save(
        blank(
            "invoice_payment",
            id=store.new_id("inpay"),
            amount_requested=intent["amount"],
            created=now,
            invoice=invoice["id"],
            payment={"payment_intent": intent["id"]},
        )
    )
