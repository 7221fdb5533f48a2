"""What was planned for a period's end and was not billed so, whatever the cause: the new period is billed as
it was planned after all, and what was billed beyond that is credited. A subscription that was to end then is
ended, and its new period is paid back.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile

from billing import stripe_api
from billing.errors import ChangeInProgress, PaymentDeclined, StripeMissing, StripeRefused
from billing.fetch import fetch
from billing.models import Change, Payment, Refund, Subscription
from billing.services.cancellations import open_missed_end
from billing.services.changes import MISSED, open_missed, refuse_change
from billing.services.invoices import apply_invoice
from billing.services.payments import apply_payment
from billing.services.refunds import close_refund
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.stripe_api.reading import readable
from billing.stripe_api.snapshots import SubscriptionSnapshot
from billing.sync.schedule import Missed, MissedEnd, release_to_undo
from tokenplan.kit.stored_texts import stored_detail

logger = logging.getLogger(__name__)

# What Stripe refused is asked again so much later.
AGAIN = timedelta(hours=1)


def make_good(row: Subscription, snapshot: SubscriptionSnapshot, missed: Missed, at: datetime) -> list[str]:
    """Bills the period that began as it was planned. The row is written first, so that after a crash the
    sweep finds out what was done. Returns a line; nothing where Stripe has no renewal yet, or refuses.

    A renewal that is paid, or is still a draft, is credited in full to the customer's balance, from which the
    draft is then paid. One that nobody could pay is void, and what was planned is billed from now on.
    """
    renewal = _renewal(snapshot, missed.since)
    if renewal is None or _was_refused_just_now(row, at):
        return []
    was_billed = renewal.status in ("paid", "draft")
    if was_billed:
        after = stripe_api.preview_change(snapshot, missed.prices, at=snapshot.period_start)
        extra_nanousd = -after.total_nanousd
    else:
        after = stripe_api.preview_change(snapshot, missed.prices, at=None)
        extra_nanousd = renewal.total_nanousd - after.total_nanousd
    try:
        change = open_missed(
            subscription=row, target=missed.prices, extra_nanousd=extra_nanousd, since=missed.since, at=at
        )
    except ChangeInProgress:  # a sync beside this one does it
        return []
    try:
        if renewal.status in ("open", "uncollectible"):
            stripe_api.void_invoice(renewal.id)
        stripe_api.rebill_period(snapshot, missed.prices, request=change.pk, was_billed=was_billed)
    except (PaymentDeclined, StripeRefused, StripeMissing) as refusal:
        logger.exception("What was planned for %s is not made good: %s", row, refusal.detail)
        refuse_change(change=change, reason=stored_detail(refusal), at=at)
        return []
    return [f"subscription {row.stripe_id}: bills what was planned for {missed.since:%Y-%m-%d %H:%M}"]


def end_after_all(
    row: Subscription, snapshot: SubscriptionSnapshot, missed: MissedEnd, at: datetime
) -> list[str]:
    """Ends a subscription that was canceled and renewed all the same, and pays back what the renewal charged:
    to the card, and to the customer's balance what that paid.
    The refund's row is written first: after a crash the sync that follows ends the subscription, and the
    sweep of refunds sends it. What is not paid yet is void. Returns a line; nothing where Stripe has no
    renewal yet, or refuses.
    """
    renewal = _renewal(snapshot, missed.since)
    if renewal is None:
        return []
    renewal = _finalized(renewal)
    paid = renewal.status == "paid"
    payment = _payment(row, renewal, at) if paid and renewal.payment_id else None
    by_balance_nanousd = renewal.by_balance_nanousd if paid else 0
    try:
        refund = open_missed_end(
            subscription=row,
            payment=payment,
            by_balance_nanousd=by_balance_nanousd,
            since=missed.since,
            at=at,
        )
    except ChangeInProgress:  # a sync beside this one does it
        return []
    release_to_undo(snapshot)
    if renewal.status == "uncollectible":
        stripe_api.void_invoice(renewal.id)
    if by_balance_nanousd:
        # Before it ends: whoever dies in between comes here again.
        request = f"missed-end-{renewal.id}"
        stripe_api.give_back_balance(snapshot.customer_id, nanousd=by_balance_nanousd, request=request)
    stripe_api.end_subscription(row.stripe_id)
    if refund is not None and refund.state == Refund.State.OPEN:
        _pay_back(refund, at)
    return [f"subscription {row.stripe_id}: ended, it was canceled for {missed.since:%Y-%m-%d %H:%M}"]


def _finalized(renewal: InvoiceSnapshot) -> InvoiceSnapshot:
    """A draft is open from now on, and is void when the subscription ends; or the customer's balance has paid
    all of it.
    """
    if renewal.status != "draft":
        return renewal
    with suppress(StripeRefused):  # a sync beside this one did it
        stripe_api.finalize_invoice(renewal.id)
    return stripe_api.invoice(renewal.id)


def _payment(row: Subscription, renewal: InvoiceSnapshot, at: datetime) -> Payment:
    """Our mirrors of what was charged, which say what is to be paid back."""
    apply_invoice(team=row.team, fetched=fetch(partial(stripe_api.invoice, renewal.id)), at=at)
    apply_payment(team=row.team, fetched=fetch(partial(stripe_api.payment, renewal.payment_id)), at=at)
    return Payment.objects.for_team(row.team).get(stripe_id=renewal.payment_id)


def _pay_back(refund: Refund, at: datetime) -> None:
    try:
        id = stripe_api.refund(refund.payment.stripe_id, nanousd=refund.amount_nanousd, request=refund.pk)
    except (PaymentDeclined, StripeRefused, StripeMissing) as refusal:
        close_refund(refund=refund, error=stored_detail(refusal), at=at)
    else:
        close_refund(refund=refund, stripe_id=id, at=at)


def _renewal(snapshot: SubscriptionSnapshot, since: datetime) -> InvoiceSnapshot | None:
    """The invoice that billed the period which began then."""
    made = stripe_api.invoices(snapshot.customer_id, subscription=snapshot.id)
    recent = readable(takewhile(lambda invoice: invoice.created_at >= since, made))
    return next((invoice for invoice in recent if invoice.reason == "subscription_cycle"), None)


def _was_refused_just_now(row: Subscription, at: datetime) -> bool:
    before = row.changes.filter(request__kind=MISSED, state=Change.State.REFUSED, closed_at__gt=at - AGAIN)
    return before.exists()
