"""Disputes: the holder of a card has asked the bank for their money back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.clocks import Task, now_of
from tokenplan.local_stripe.objects.dates import DAY
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit, emit_updated
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments.cards import METHODS

router = Router()
# Seconds from a payment by the card that is always disputed to its dispute.
DISPUTED_AFTER = 2
# Seconds in which a dispute is to be answered.
ANSWER_WITHIN = 7 * DAY
OPEN = ("needs_response", "under_review")


def dispute(store: Store, charge: Object, now: int) -> Object:
    """Opens a dispute over what was not refunded of a charge: the bank takes the money back until it is
    decided. Raises ApiError for a charge that is unpaid, or disputed already.
    """
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise ApiError("This charge cannot be disputed.", param="charge")
    emit_updated(store, "charge.updated", charge, {**charge, "disputed": True}, now)
    row = store.save(
        blank(
            "dispute",
            id=store.new_id("du"),
            amount=charge["amount"] - charge["amount_refunded"],
            charge=charge["id"],
            created=now,
            currency=charge["currency"],
            evidence_details={"due_by": now + ANSWER_WITHIN},
            payment_intent=charge["payment_intent"],
        )
    )
    emit(store, "charge.dispute.created", row, now)
    emit(store, "charge.dispute.funds_withdrawn", row, now)
    return row


def close_dispute(store: Store, row: Object, *, won: bool, now: int) -> Object:
    """The bank has decided. Raises ApiError for a dispute that is closed."""
    if row["status"] not in OPEN:
        raise ApiError("This dispute is already closed.", code="dispute_closed")
    after = {**row, "status": "won" if won else "lost"}
    emit_updated(store, "charge.dispute.closed", row, after, now)
    if won:
        emit(store, "charge.dispute.funds_reinstated", after, now)
    return after


def disputes_due(store: Store) -> Iterator[Task]:
    """Due work: disputes over the payments by a card that is always disputed."""
    for card in METHODS:
        if card.disputed:
            fields = {"payment_method_details__card__fingerprint": card.fingerprint}
            for charge in store.all("charge", status="succeeded", disputed=False, **fields):
                begin = partial(_begin, store, charge["id"])
                yield Task(charge["created"] + DISPUTED_AFTER, 9, charge["customer"], begin)


def _begin(store: Store, charge: str, now: int) -> None:
    dispute(store, store.get("charge", charge), now)


@router.get("/disputes/{}")
def retrieve(call: Call) -> Object:
    return call.store.get("dispute", call.id, "dispute")


@router.list("/disputes", {"charge": text, "payment_intent": text})
def list_all(call: Call) -> Object:
    rows = call.store.all("dispute", **call.given("charge", "payment_intent"))
    return listing(rows, call.params, "/v1/disputes")


@router.post("/disputes/{}/close")
def close(call: Call) -> Object:
    """A seller who closes a dispute accepts it: it is lost."""
    row = call.store.get("dispute", call.id, "dispute")
    charge = call.store.get("charge", row["charge"])
    now = now_of(call.store, charge["customer"], call.now)
    return close_dispute(call.store, row, won=False, now=now)
