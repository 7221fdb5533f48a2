"""A change whose payment takes days, such as a bank debit. None is begun here, since a change is refused
where a debit would pay it (`CardNeeded`); but the method may change in that moment, or somebody may change
the subscription in Stripe's dashboard. Stripe bills such a change when the debit begins. It has happened when
the money has come; until then the seats stay as they are.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from billing import stripe_api
from billing.errors import StripeRefused
from billing.models import Change, Subscription
from billing.services.changes import refuse_debited_change
from billing.stripe_api.snapshots import PaymentSnapshot, SubscriptionSnapshot

FAILED = "requires_payment_method"


def with_payment_under_way(
    row: Subscription | None, snapshot: SubscriptionSnapshot, at: datetime
) -> tuple[SubscriptionSnapshot, list[str]]:
    """The snapshot, which says whether a change of it is being paid; and what was done at Stripe, which is to
    be fetched again: a change of ours whose debit has failed is taken back there, and the Owner is told.
    """
    change = _waiting(row, snapshot)
    invoice_id = change.invoice_id if change is not None else snapshot.open_change_id
    if row is None or not invoice_id:
        return snapshot, []
    payment = _payment_of(invoice_id)
    if payment is not None and payment.is_under_way:
        return replace(snapshot, change_is_under_way=True, change_invoice_id=invoice_id), []
    if change is None or payment is None or payment.status != FAILED:
        return snapshot, []
    return snapshot, _take_back(change, snapshot, payment, at)


def _waiting(row: Subscription | None, snapshot: SubscriptionSnapshot) -> Change | None:
    """A change of ours that Stripe bills and that is not paid. One to the year is the bill of a period: where
    its debit fails, it is owed like any other.
    """
    if row is None or snapshot.pending_until is not None:
        return None
    change = row.changes.unfinished().filter(state=Change.State.AWAITS_PAYMENT).exclude(invoice_id="").first()
    billed = change is not None and snapshot.quantities in (change.target, change.before)
    return change if billed and change is not None and change.request.get("kind") != "interval" else None


def _payment_of(invoice_id: str) -> PaymentSnapshot | None:
    bill = stripe_api.invoice(invoice_id)
    return stripe_api.payment(bill.payment_id) if bill.status == "open" and bill.payment_id else None


def _take_back(
    change: Change, snapshot: SubscriptionSnapshot, payment: PaymentSnapshot, at: datetime
) -> list[str]:
    """Bills as before, then voids the invoice: in this order, since after both the change is over."""
    if snapshot.quantities != change.before:
        mark = f"unpaid-{change.pk}"
        stripe_api.change_back(snapshot, change.before, at=change.proration_at, mark=mark, request=mark)
    with suppress(StripeRefused):  # void already: a sync beside this one did it
        stripe_api.void_invoice(change.invoice_id)
    refuse_debited_change(change=change, reason=payment.failure, at=at)
    return [f"change “{change.text}”: taken back, its payment has failed"]
