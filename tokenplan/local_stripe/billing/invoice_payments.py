"""What pays an invoice: its payment intent, the payment method that is charged for it, and the types of
methods that it takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from tokenplan.local_stripe.billing import subscription_status
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import ApiError, Declined, Object
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments import payment_methods


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


def types_of(invoice: Object) -> Sequence[str]:
    """The types of payment methods that can pay it."""
    return invoice["payment_settings"]["payment_method_types"] or payment_methods.TYPES


def usable_for(store: Store, invoice: Object, method_id: str, now: int) -> str:
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


def link(store: Store, invoice: Object, intent: Object, now: int) -> Object:
    return store.save(
        blank(
            "invoice_payment",
            id=store.new_id("inpay"),
            amount_requested=intent["amount"],
            currency=intent["currency"],
            created=now,
            invoice=invoice["id"],
            payment={"payment_intent": intent["id"]},
        )
    )
