"""Payment intents and their charges. They know neither invoices nor checkouts: `billing` and `hosted` make
those follow when a payment has changed.

`now` is the customer's time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.dates import DAY
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments.cards import MESSAGES, behaviour, charged_details
from tokenplan.local_stripe.payments.payment_methods import attach, usable

router = Router()
# Seconds until a delayed payment has come, or failed: a bank debit takes up to four business days.
SETTLES_AFTER = 4 * DAY
# The statuses of an intent that waits for its customer.
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a payment did not go through, as an intent's `last_payment_error` says it."""

    code: str
    message: str
    decline_code: str = ""
    charge_id: str = ""

    def as_error(self, method: Object) -> Object:
        error: Object = {
            "type": "card_error",
            "code": self.code,
            "doc_url": f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}",
            "message": self.message,
            "payment_method": method,
        }
        if self.charge_id:
            error["charge"] = self.charge_id
        if self.decline_code:
            error["decline_code"] = self.decline_code
        return error


AUTHENTICATION_FAILED = Refusal(
    "payment_intent_authentication_failure",
    "We are unable to authenticate your payment method."
    " Please choose a different payment method and try again.",
)
BANK_FAILED = Refusal("insufficient_funds", "The bank account has insufficient funds.")


def new_intent(
    store: Store,
    *,
    customer_id: str | None,
    amount: int,
    now: int,
    metadata: Mapping[str, str],
    description: str = "",
    setup_future_usage: str | None = None,
    currency: str = "usd",
) -> Object:
    """A payment of so many cents that waits for a payment method. With `setup_future_usage`, the method
    that pays it is attached to the customer.
    """
    id = store.new_id("pi")
    intent = store.save(
        blank(
            "payment_intent",
            id=id,
            amount=amount,
            client_secret=store.new_id(f"{id}_secret"),
            created=now,
            currency=currency,
            customer=customer_id,
            description=description or None,
            metadata=dict(metadata),
            setup_future_usage=setup_future_usage,
        )
    )
    emit(store, "payment_intent.created", intent, now)
    return intent


def confirm(store: Store, intent: Object, payment_method_id: str, *, off_session: bool, now: int) -> Object:
    """Tries to take the money. The status of the intent that is returned says what came of it: succeeded,
    processing, requires_action, or requires_payment_method with a `last_payment_error`. Raises ApiError where
    the intent can no longer be paid, or the method is another customer's.
    """
    if intent["status"] not in OPEN:
        raise ApiError(
            f"This PaymentIntent's payment_method could not be updated because it has a status of"
            f" {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    method = usable(store, payment_method_id, customer_id=intent["customer"], now=now)
    card = behaviour(method)
    intent = {
        **intent,
        "payment_method": method["id"],
        "last_payment_error": None,
        "next_action": None,
    }
    # A card that is attached already counts as charged again, whether or not its holder is there.
    later = off_session or method["customer"] is not None
    decline = card.decline or (card.decline_later if later else "")
    if decline:
        refusal = Refusal("card_declined", MESSAGES[decline], decline)
        return _charge_failed(store, intent, method, refusal, now)
    if card.delayed:
        return _processing(store, intent, method, now)
    if card.asks == "always" or (card.asks == "once" and not _is_set_up(store, method)):
        intent = store.save(
            {
                **intent,
                "status": "requires_action",
                "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}},
            }
        )
        emit(store, "payment_intent.requires_action", intent, now)
        return intent
    return _succeeded(store, intent, method, now)


def authenticate(store: Store, intent: Object, *, ok: bool, now: int) -> Object:
    """The card's holder has answered the bank: `ok`, or not. Does nothing where the bank did not ask."""
    if intent["status"] != "requires_action":
        return intent
    method = store.get("payment_method", intent["payment_method"])
    intent = {**intent, "next_action": None}
    if not ok:
        return _refused(store, intent, method, AUTHENTICATION_FAILED, now)
    if intent["setup_future_usage"]:
        set_up(store, method)
    return _succeeded(store, intent, method, now)


def settle_processing(store: Store, intent: Object, *, ok: bool, now: int) -> Object:
    """A delayed payment has come (`ok`), or will not. Does nothing where none is under way."""
    if intent["status"] != "processing":
        return intent
    charge = store.get("charge", intent["latest_charge"])
    if ok:
        charge = store.save({**charge, "status": "succeeded", "paid": True, "outcome": _outcome()})
        emit(store, "charge.succeeded", charge, now)
        intent = {**intent, "status": "succeeded", "amount_received": intent["amount"], "processing": None}
        emit(store, "payment_intent.succeeded", store.save(intent), now)
        return intent
    charge |= {"status": "failed", "captured": False, "amount_captured": 0}
    charge |= {"failure_code": BANK_FAILED.code, "failure_message": BANK_FAILED.message}
    emit(store, "charge.failed", store.save(charge), now)
    method = store.get("payment_method", intent["payment_method"])
    refusal = replace(BANK_FAILED, charge_id=charge["id"])
    return _refused(store, {**intent, "processing": None}, method, refusal, now)


def settlements(store: Store) -> list[tuple[Object, int, bool]]:
    """The delayed payments under way: each intent, when it will settle, and whether the money will come."""
    found = []
    for intent in store.all("payment_intent", status="processing"):
        charge = store.get("charge", intent["latest_charge"])
        method = store.get("payment_method", intent["payment_method"])
        found.append((intent, charge["created"] + SETTLES_AFTER, not behaviour(method).fails_later))
    return found


def cancel(store: Store, intent: Object, *, reason: str | None, now: int) -> Object:
    """Cancels a payment whose invoice was voided, or whose checkout is over. Raises ApiError where it is
    too late for that.
    """
    if intent["status"] not in OPEN:
        raise ApiError(
            "You cannot cancel this PaymentIntent because it has a status of"
            f" {intent['status']}. Only a PaymentIntent with one of the following statuses may be canceled:"
            f" {', '.join(OPEN)}.",
            code="payment_intent_unexpected_state",
        )
    intent = {**intent, "status": "canceled", "canceled_at": now, "cancellation_reason": reason}
    intent = store.save({**intent, "next_action": None})
    emit(store, "payment_intent.canceled", intent, now)
    return intent


def _succeeded(store: Store, intent: Object, method: Object, now: int) -> Object:
    _attach_if_reused(store, intent, method, now)
    charge = _charge(store, intent, method, now, status="succeeded", paid=True, outcome=_outcome())
    emit(store, "charge.succeeded", charge, now)
    intent = store.save(
        {
            **intent,
            "status": "succeeded",
            "amount_received": intent["amount"],
            "latest_charge": charge["id"],
            "next_action": None,
        }
    )
    emit(store, "payment_intent.succeeded", intent, now)
    return intent


def _processing(store: Store, intent: Object, method: Object, now: int) -> Object:
    _attach_if_reused(store, intent, method, now)
    charge = _charge(store, intent, method, now, status="pending", paid=False, outcome=_outcome())
    emit(store, "charge.pending", charge, now)
    intent = store.save({**intent, "status": "processing", "latest_charge": charge["id"]})
    emit(store, "payment_intent.processing", intent, now)
    return intent


def _charge_failed(store: Store, intent: Object, method: Object, refusal: Refusal, now: int) -> Object:
    """The bank was asked and refused, which leaves a failed charge."""
    charge = _charge(
        store,
        intent,
        method,
        now,
        status="failed",
        paid=False,
        outcome=_outcome(refusal.decline_code),
        failure_code=refusal.code,
        failure_message=refusal.message,
    )
    emit(store, "charge.failed", charge, now)
    intent = {**intent, "latest_charge": charge["id"]}
    return _refused(store, intent, method, replace(refusal, charge_id=charge["id"]), now)


def _refused(store: Store, intent: Object, method: Object, refusal: Refusal, now: int) -> Object:
    """The intent waits for another payment method."""
    intent = store.save(
        {
            **intent,
            "status": "requires_payment_method",
            "payment_method": None,
            "last_payment_error": refusal.as_error(method),
        }
    )
    emit(store, "payment_intent.payment_failed", intent, now)
    return intent


def _attach_if_reused(store: Store, intent: Object, method: Object, now: int) -> None:
    """Attaches the payment method to the customer where it is to be charged again."""
    if intent["setup_future_usage"] and intent["customer"]:
        attach(store, method, intent["customer"], now)


def set_up(store: Store, method: Object) -> None:
    """Notes that the holder has allowed it to be charged without them."""
    store.save({"object": "local.set_up", "id": method["id"]})


def _is_set_up(store: Store, method: Object) -> bool:
    return store.find("local.set_up", method["id"]) is not None


def _outcome(decline: str = "") -> Object:
    return blank(
        "charge.outcome",
        advice_code="try_again_later" if decline else None,
        network_status="declined_by_network" if decline else "approved_by_network",
        reason=decline or None,
        seller_message="The bank did not return any further details with this decline."
        if decline
        else "Payment complete.",
        type="issuer_declined" if decline else "authorized",
    )


def _charge(store: Store, intent: Object, method: Object, now: int, **outcome: Any) -> Object:
    id = store.new_id("ch")
    captured = outcome["status"] != "failed"
    return store.save(
        blank(
            "charge",
            id=id,
            amount=intent["amount"],
            amount_captured=intent["amount"] if captured else 0,
            billing_details=method["billing_details"],
            captured=captured,
            created=now,
            currency=intent["currency"],
            customer=intent["customer"],
            description=intent["description"],
            metadata=intent["metadata"],
            payment_intent=intent["id"],
            payment_method=method["id"],
            payment_method_details=charged_details(method),
            **outcome,
        )
    )


@router.expands("charge", "refunds")
def refunds_of(store: Store, charge: Object) -> Object:
    rows = store.all("refund", charge=charge["id"])
    return listing(rows, {}, f"/v1/charges/{charge['id']}/refunds")


@router.get("/payment_intents/{}")
def retrieve(call: Call) -> Object:
    return call.store.get("payment_intent", call.id, "intent")


@router.list("/payment_intents", {"customer": text})
def list_all(call: Call) -> Object:
    rows = call.store.all("payment_intent", **call.given("customer"))
    return listing(rows, call.params, "/v1/payment_intents")


@router.get("/charges/{}")
def retrieve_charge(call: Call) -> Object:
    return call.store.get("charge", call.id, "charge")


@router.list("/charges", {"customer": text, "payment_intent": text})
def list_charges(call: Call) -> Object:
    rows = call.store.all("charge", **call.given("customer", "payment_intent"))
    return listing(rows, call.params, "/v1/charges")
