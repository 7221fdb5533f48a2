"""Refunds: all of a payment or a part, never more than is left of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import integer, mapping, merged, one_of, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.amounts import dollars
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.clocks import Task, now_of
from tokenplan.local_stripe.objects.dates import HOUR
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit, emit_updated
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments.cards import METHODS

router = Router()
# Seconds after which a refund fails whose card takes none.
FAILS_AFTER = HOUR


def refund(
    store: Store,
    charge: Object,
    *,
    amount: int | None,
    now: int,
    reason: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Object:
    """Pays back so many cents of a charge, or all that is left of it (`amount` None). Raises ApiError
    where there is not so much left, and for a charge that is unpaid or disputed.
    """
    left = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded":
        raise ApiError("This charge has not been paid; there is nothing to refund.", param="charge")
    if charge["disputed"]:
        raise ApiError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if left == 0:
        raise ApiError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount is None:
        amount = left
    if amount <= 0:
        raise ApiError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > left:
        raise ApiError(
            f"Refund amount ({dollars(amount)}) is greater than unrefunded amount on charge"
            f" ({dollars(left)})",
            code="amount_too_large" if left == charge["amount"] else "",
            param="amount",
        )
    row = store.save(
        blank(
            "refund",
            id=store.new_id("re"),
            amount=amount,
            charge=charge["id"],
            created=now,
            currency=charge["currency"],
            customer=charge["customer"],
            metadata=merged({}, metadata),
            payment_intent=charge["payment_intent"],
            payment_method=charge["payment_method"],
            reason=reason,
        )
    )
    emit(store, "refund.created", row, now)
    refunded = charge["amount_refunded"] + amount
    after = {**charge, "amount_refunded": refunded, "refunded": refunded == charge["amount"]}
    emit_updated(store, "charge.refunded", charge, after, now)
    emit(store, "refund.updated", row, now)
    return row


def fail(store: Store, row: Object, now: int) -> Object:
    """The money came back: it could not be paid out, and the charge is as before. Raises ApiError for a
    refund that has failed already.
    """
    if row["status"] != "succeeded":
        raise ApiError("This refund has failed already.")
    after = {
        **row,
        "status": "failed",
        "failure_balance_transaction": store.new_id("txn"),
        "failure_reason": "expired_or_canceled_card",
    }
    charge = store.get("charge", row["charge"])
    left = charge["amount_refunded"] - row["amount"]
    emit_updated(store, "charge.updated", charge, {**charge, "amount_refunded": left, "refunded": False}, now)
    emit_updated(store, "refund.updated", row, after, now)
    emit(store, "charge.refund.updated", after, now)
    emit(store, "refund.failed", after, now)
    return after


def failures_due(store: Store) -> Iterator[Task]:
    """Due work: refunds to the card that takes none."""
    cards = {card.fingerprint for card in METHODS if card.refund_fails}
    for row in store.all("refund", status="succeeded"):
        charge = store.find("charge", row["charge"])
        card = charge["payment_method_details"].get("card", {}) if charge else {}
        if card.get("fingerprint") in cards:
            yield Task(row["created"] + FAILS_AFTER, 9, row["customer"], partial(_fail, store, row["id"]))


def _fail(store: Store, id: str, now: int) -> None:
    fail(store, store.get("refund", id), now)


@router.post(
    "/refunds",
    {
        "payment_intent": text,
        "charge": text,
        "amount": integer,
        "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
        "metadata": mapping,
    },
)
def create(call: Call) -> Object:
    charge = _charge(call)
    return refund(
        call.store,
        charge,
        amount=call.params.get("amount"),
        reason=call.params.get("reason"),
        metadata=call.params.get("metadata"),
        now=now_of(call.store, charge["customer"], call.now),
    )


def _charge(call: Call) -> Object:
    if "charge" in call.params:
        return call.store.get("charge", call.params["charge"], "charge")
    if "payment_intent" not in call.params:
        raise ApiError(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    intent = call.store.get("payment_intent", call.params["payment_intent"], "payment_intent")
    if intent["status"] != "succeeded":
        raise ApiError(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    return call.store.get("charge", intent["latest_charge"])


@router.get("/refunds/{}")
def retrieve(call: Call) -> Object:
    return call.store.get("refund", call.id, "refund")


@router.list("/refunds", {"charge": text, "payment_intent": text})
def list_all(call: Call) -> Object:
    rows = call.store.all("refund", **call.given("charge", "payment_intent"))
    return listing(rows, call.params, "/v1/refunds")
