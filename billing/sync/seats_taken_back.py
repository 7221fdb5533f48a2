"""What becomes of seats whose payment was refunded whole, or lost in a dispute (docs/rules.md, Refunds)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from billing import stripe_api
from billing.change_requests import Bill
from billing.errors import StripeMissing, StripeRefused
from billing.fetch import fetch
from billing.models import Change, Invoice, Payment, Subscription
from billing.selectors.prices import prices_of
from billing.services.changes import refuse_change
from billing.services.notifications import notify_of_a_month_in_a_year, notify_of_what_does_not_follow
from billing.services.undos import (
    mark_undone,
    open_end_of_period,
    open_undo,
    report_not_undone,
    seats_paid_since,
    set_undo_target,
)
from billing.stripe_api.snapshots import SubscriptionSnapshot
from billing.sync.schedule import release_to_undo
from billing.sync.subscriptions import only_ours, sync_subscription
from teams.models import Team
from tokenplan.kit.stored_texts import stored_detail

# Stripe's words for the invoice of a whole period.
PERIOD_REASONS = ("subscription_create", "subscription_cycle")
# Stripe makes the invoice at the period's begin; clocks of two of its machines may differ by so much.
MADE_WITHIN = timedelta(minutes=1)
A_MONTH = timedelta(days=31)


def take_back_seats(team: Team, payment_id: str, at: datetime) -> list[str]:
    """A period's invoice that was taken back ends the seats that it paid for and their renewal; a change's
    undoes that change. The invoice of an earlier period ends nothing. Returns what changed, a line each.

    Raises StripeRefused or StripeMissing where Stripe refuses that, and tells operators, once; and
    ChangeInProgress. The event comes again, and so does this.
    """
    payment = Payment.objects.select_related("team").filter(team=team, stripe_id=payment_id).first()
    if payment is None or not payment.is_taken_back:
        return []
    try:
        return _take_back(payment, at)
    except (StripeRefused, StripeMissing) as refusal:
        notify_of_what_does_not_follow(payment=payment, reason=stored_detail(refusal), at=at)
        raise


def _take_back(payment: Payment, at: datetime) -> list[str]:
    team = payment.team
    bills = Invoice.objects.for_team(team).filter(payment_id=payment.stripe_id)
    for bill in bills.exclude(subscription_id=""):
        row = Subscription.objects.for_team(team).live().filter(stripe_id=bill.subscription_id).first()
        if row is None:
            continue
        is_earlier = bill.created_at < row.period_start - MADE_WITHIN
        if bill.reason in PERIOD_REASONS and not is_earlier:
            return _end_of_period(row, bill, at)
        done = row.changes.filter(invoice_id=bill.stripe_id, state=Change.State.DONE, undone_at=None)
        change = done.first()
        if change is not None and (not is_earlier or _was_cut_short(row, bill)):
            return _undo(row, change, bill, at)
        if bill.reason in PERIOD_REASONS and _was_cut_short(row, bill):
            notify_of_a_month_in_a_year(payment=payment, subscription=row, at=at)
    return []


def _was_cut_short(row: Subscription, bill: Invoice) -> bool:
    """Did a change to the year end the month of this invoice, and take what was left of it off its price?"""
    begun = row.changes.filter(request__kind="interval", state=Change.State.DONE)
    this_period = begun.filter(created_at__gte=row.period_start - MADE_WITHIN)
    return this_period.filter(created_at__range=(bill.created_at, bill.created_at + A_MONTH)).exists()


def _end_of_period(row: Subscription, bill: Invoice, at: datetime) -> list[str]:
    """Ends the seats that this invoice paid for; all of the subscription, where no later payment paid for
    other seats.
    """
    mark = f"{uuid5(NAMESPACE_URL, bill.stripe_id)}-undo"
    if mark in _at_stripe(row).undone:  # what is there now, this invoice did not pay for
        return sync_subscription(row.stripe_id, at)
    if not seats_paid_since(row, bill):
        return _end(row, bill, at)
    undo = open_end_of_period(subscription=row, bill=bill, at=at)
    if undo is None:
        return []
    now, seats = _at_stripe(row), dict(row.seats.live().values_list("seat_id", "plan_id"))
    staying = Counter(plan_id for seat_id, plan_id in seats.items() if str(seat_id) not in undo.moves)
    wanted = prices_of(Bill(staying, row.interval))
    _send(undo, now, wanted, mark, at)
    lines = sync_subscription(row.stripe_id, at)
    return [f"subscription {row.stripe_id}: the seats of its invoice {bill} end, it was taken back", *lines]


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
        return _end_of_period(row, bill, at)
    mark = f"{change.pk}-undo"
    if mark in _at_stripe(row).undone:  # it was done, and the answer was lost: its row names the seats
        lines = sync_subscription(row.stripe_id, at)
        mark_undone(change=change, at=at)
        return lines
    undo = open_undo(change=change, at=at)
    if undo is None:
        return []
    now = _at_stripe(row)
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
    _send(undo, now, wanted, mark, at)
    mark_undone(change=change, at=at)
    lines = sync_subscription(row.stripe_id, at)
    lines = [f"change “{change.text}”: undone, its invoice {bill} was taken back", *lines]
    return lines + _undo_before(row, change, at)


def _undo_before(row: Subscription, change: Change, at: datetime) -> list[str]:
    """The changes before it that could not be undone while this one built on them, the latest first."""
    before = row.changes.filter(
        state=Change.State.DONE,
        undone_at=None,
        created_at__lt=change.created_at,
        closed_at__gte=row.period_start,
    )
    for one in before.exclude(invoice_id="").exclude(request__kind="interval").order_by("-created_at"):
        bill = Invoice.objects.filter(stripe_id=one.invoice_id).exclude(payment_id="").first()
        payment = Payment.objects.filter(stripe_id=bill.payment_id).first() if bill else None
        if bill is not None and payment is not None and payment.is_taken_back:
            return _undo(row, one, bill, at)
    return []


def _at_stripe(row: Subscription) -> SubscriptionSnapshot:
    return fetch(lambda: only_ours(stripe_api.subscription(row.stripe_id))).value


def _send(
    undo: Change, now: SubscriptionSnapshot, wanted: Mapping[str, int], mark: str, at: datetime
) -> None:
    set_undo_target(undo=undo, target=wanted)
    try:
        release_to_undo(now)
        stripe_api.change_back(now, wanted, at=at, mark=mark, request=undo.pk)
    except (StripeRefused, StripeMissing) as refusal:
        refuse_change(change=undo, reason=stored_detail(refusal), at=at)
        raise
