"""What becomes of seats whose payment was refunded whole, or lost in a dispute (docs/rules.md, Refunds)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from billing import stripe_api
from billing.errors import StripeMissing, StripeRefused
from billing.fetch import fetch
from billing.models import Change, Invoice, Payment, Subscription
from billing.services.changes import refuse_change
from billing.services.undos import mark_undone, open_undo, report_not_undone, set_undo_target
from billing.sync.schedule import release_to_undo
from billing.sync.subscriptions import only_ours, sync_subscription
from teams.models import Team

# Stripe's words for the invoice of a whole period.
PERIOD_REASONS = ("subscription_create", "subscription_cycle")
# Stripe makes the invoice at the period's begin; clocks of two of its machines may differ by so much.
MADE_WITHIN = timedelta(minutes=1)


def take_back_seats(team: Team, payment_id: str, at: datetime) -> list[str]:
    """A period's invoice that was taken back ends the seats of that period and their renewal; a change's
    undoes that change. The invoice of an earlier period ends nothing. Returns what changed, a line each.
    """
    payment = Payment.objects.for_team(team).filter(stripe_id=payment_id).first()
    if payment is None or not payment.is_taken_back:
        return []
    for bill in Invoice.objects.for_team(team).filter(payment_id=payment_id).exclude(subscription_id=""):
        row = Subscription.objects.for_team(team).live().filter(stripe_id=bill.subscription_id).first()
        if row is None or bill.created_at < row.period_start - MADE_WITHIN:
            continue
        if bill.reason in PERIOD_REASONS:
            return _end(row, bill, at)
        change = row.changes.filter(
            invoice_id=bill.stripe_id, state=Change.State.DONE, undone_at=None
        ).first()
        return _undo(row, change, bill, at) if change is not None else []
    return []


def _end(row: Subscription, bill: Invoice, at: datetime) -> list[str]:
    stripe_api.end_subscription(row.stripe_id)
    lines = sync_subscription(row.stripe_id, at)
    return [f"subscription {row.stripe_id}: ended, its invoice {bill} was taken back", *lines]


def _undo(row: Subscription, change: Change, bill: Invoice, at: datetime) -> list[str]:
    """What the change added is taken away, and what it moved moves back; what other changes did since, and
    what is planned, stays. Where a later change built on it, nothing is undone, and operators are told. The
    invoice of a change to the year is that of a period.

    Our row is written first, so that no other change comes between what is read and what is sent; after a
    crash the sweep of changes closes it, and the event that comes again goes on. Raises ChangeInProgress.
    """
    if change.request.get("kind") == "interval":
        return _end(row, bill, at)
    request = f"{change.pk}-undo"
    now = fetch(lambda: only_ours(stripe_api.subscription(row.stripe_id))).value
    if request in now.undone:  # it was done, and the answer was lost: its row says which seats it names
        lines = sync_subscription(row.stripe_id, at)
        mark_undone(change=change, at=at)
        return lines
    undo = open_undo(change=change, at=at)
    if undo is None:
        return []
    now = fetch(lambda: only_ours(stripe_api.subscription(row.stripe_id))).value
    seats = Counter(now.quantities)
    seats.subtract(change.target)
    seats.update(change.before)
    if any(count < 0 for count in seats.values()):  # somebody has changed the subscription at Stripe
        refuse_change(change=undo, reason="", at=at)
        report_not_undone(change=change, at=at)
        return sync_subscription(row.stripe_id, at)
    wanted = {price: count for price, count in seats.items() if count > 0}
    if not wanted:
        return _end(row, bill, at)
    set_undo_target(undo=undo, target=wanted)
    try:
        release_to_undo(now)
        stripe_api.change_back(now, wanted, at=at, mark=request, request=undo.pk)
    except (StripeRefused, StripeMissing) as refusal:
        refuse_change(change=undo, reason=refusal.detail, at=at)
        raise
    mark_undone(change=change, at=at)
    lines = sync_subscription(row.stripe_id, at)
    return [f"change “{change.text}”: undone, its invoice {bill} was taken back", *lines]
