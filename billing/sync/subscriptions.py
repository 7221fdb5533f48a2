"""A subscription: our rows, the seats, what is scheduled for the period's end, and a failed payment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial

from django.utils.translation import gettext as _

from billing import stripe_api
from billing.change_requests import bill_now
from billing.errors import AddressNeeded, AnswerUnreadable, ChangeInProgress, StripeRefused
from billing.fetch import Fetched, fetch
from billing.models import Invoice, Price, Subscription
from billing.selectors.prices import prices_of
from billing.services.changes import planned_seats
from billing.services.invoices import apply_invoice
from billing.services.subscriptions import apply_subscription
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.stripe_api.reading import Listed, readable
from billing.stripe_api.snapshots import SubscriptionSnapshot
from billing.sync.customers import team_of
from billing.sync.debits import with_payment_under_way
from billing.sync.methods import keep_method
from billing.sync.missed import end_after_all, make_good
from billing.sync.schedule import MissedEnd, Overtaken, ask_again, gives_way, is_missed, keep_schedule
from teams.models import Team

logger = logging.getLogger(__name__)


# So often a sync begins anew that was overtaken by a change, before it leaves it to the next one.
AGAIN = 3


def sync_subscription(id: str, at: datetime, *, again: int = AGAIN) -> list[str]:
    return apply_fetched_subscription(fetch(lambda: stripe_api.subscription(id)), at, again=again)


def sync_subscription_of(team: Team, at: datetime) -> list[str]:
    """The Team's live one, for a page that does not wait for the webhook."""
    row = Subscription.objects.for_team(team).live().first()
    return sync_subscription(row.stripe_id, at) if row else []


def apply_fetched_subscription(
    fetched: Fetched[SubscriptionSnapshot], at: datetime, *, again: int = AGAIN
) -> list[str]:
    """Our rows follow, and so does Stripe's schedule, unless the rows show something more recent by then.
    Raises Overtaken where it was overtaken `again` times more.
    """
    snapshot = only_ours(fetched.value)
    known = Subscription.objects.select_related("team").filter(stripe_id=snapshot.id).first()
    team = team_of(known, snapshot.customer_id, at)
    if team is None:
        return []
    if known is None and snapshot.ended_at is None:
        _sync_the_one_before(team, snapshot.id, at)
    snapshot, taken_back = with_payment_under_way(known, snapshot, at)
    if taken_back:
        return taken_back + sync_subscription(snapshot.id, at)
    fetched = fetched.holding(snapshot)
    changed = _make_drafts_payable(team, snapshot, at)
    overdue_since = _overdue_since(snapshot, known)
    changed += apply_subscription(team=team, fetched=fetched, overdue_since=overdue_since, at=at)
    row = Subscription.objects.filter(stripe_id=snapshot.id, fetch_sequence=fetched.sequence).first()
    if row is None:
        return changed
    over = _makes_way(row, snapshot, at)
    if over:
        return changed + over + sync_subscription(snapshot.id, at)
    try:
        changed += keep_schedule(row, snapshot)
    except Overtaken:
        if not again:
            raise
        return changed + sync_subscription(snapshot.id, at, again=again - 1)
    return changed + keep_method(snapshot)


def _makes_way(row: Subscription, snapshot: SubscriptionSnapshot, at: datetime) -> list[str]:
    """What is planned for the period's end goes before a payment that waits, and what was missed is made
    good. Returns what was done at Stripe, which is to be fetched again: mostly nothing.
    """
    if gives_way(row, snapshot, at):
        with suppress(StripeRefused):  # paid in this moment: the next sync says so
            stripe_api.void_invoice(snapshot.pending_invoice_id)
            return [f"invoice {snapshot.pending_invoice_id}: is void, since something else is planned"]
    if asked := ask_again(row, snapshot):
        return asked
    missed = is_missed(row, snapshot)
    if isinstance(missed, MissedEnd):
        return end_after_all(row, snapshot, missed, at)
    return make_good(row, snapshot, missed, at) if missed else []


def only_ours(snapshot: SubscriptionSnapshot) -> SubscriptionSnapshot:
    """Without the items that are not seats of ours: they never stop the seats that are. One that has nothing
    of ours is left as it is, and refused (PriceUnknown) by the service.
    """
    wanted = {item.price_id for item in snapshot.items}
    known = Price.objects.filter(stripe_id__in=wanted).exclude(plan=None)
    ours = snapshot.only({str(price.stripe_id) for price in known})
    if not ours.items:
        return snapshot
    for line in left_alone(ours):
        logger.warning("Left alone: %s", line)
    return ours


def left_alone(snapshot: SubscriptionSnapshot) -> list[str]:
    """A line for each item that is not ours, or cannot be read."""
    text = "subscription {0}: the item {1.id} bills {1.price_id}, which is not a seat of ours"
    return [text.format(snapshot.id, item) for item in snapshot.others]


def _sync_the_one_before(team: Team, id: str, at: datetime) -> None:
    """The Team's earlier subscription may have ended without our having its event yet."""
    before = Subscription.objects.for_team(team).live().exclude(stripe_id=id).first()
    if before is not None:
        sync_subscription(before.stripe_id, at)


def _overdue_since(snapshot: SubscriptionSnapshot, known: Subscription | None) -> datetime | None:
    """When the oldest invoice that is not paid was first to be paid; None while nothing is owed.

    Stripe calls a subscription active again when its latest invoice is paid, or is written off: what was owed
    stays so until all of it is paid or void.
    """
    written_off = Invoice.objects.filter(subscription_id=snapshot.id, status="uncollectible")
    owed = snapshot.status in Subscription.OWES or (known is not None and known.past_due_since is not None)
    if snapshot.ended_at is not None or not (owed or written_off.exists()):
        return None
    found = list(_invoices(snapshot, "uncollectible"))
    if owed:
        found += [bill for bill in _invoices(snapshot, "open") if bill.id != snapshot.pending_invoice_id]
    return min(map(_owed_since, found), default=None)


def _owed_since(bill: Listed[InvoiceSnapshot]) -> datetime:
    """One that cannot be read is owed all the same, since it was made."""
    try:
        return bill.read().owed_since
    except AnswerUnreadable as unread:
        logger.warning("Counted as owed since it was made: %s", unread)
        return bill.created_at


def _invoices(snapshot: SubscriptionSnapshot, status: str) -> Iterator[Listed[InvoiceSnapshot]]:
    return stripe_api.invoices(snapshot.customer_id, subscription=snapshot.id, status=status)


def _make_drafts_payable(team: Team, snapshot: SubscriptionSnapshot, at: datetime) -> list[str]:
    """While nothing of a subscription is paid, Stripe leaves the invoices of its later periods as drafts.
    They are due too, so they get a page to pay them on.
    """
    changed = []
    if snapshot.status == Subscription.Status.UNPAID:
        for draft in list(readable(_invoices(snapshot, "draft"))):
            with suppress(StripeRefused, AddressNeeded):  # a sync beside this one did it
                stripe_api.finalize_invoice(draft.id)
            changed += apply_invoice(team=team, fetched=fetch(partial(stripe_api.invoice, draft.id)), at=at)
    return changed


def agreed_subscription(
    find: Callable[[], Subscription], at: datetime
) -> tuple[Subscription, SubscriptionSnapshot]:
    """The row that `find` returns, and Stripe's snapshot, which agree: if they differ, the row is synced
    first. Raises what `find` does, ChangeInProgress when they still differ, and Stripe's refusals.
    """
    row = find()
    fetched = fetch(lambda: only_ours(stripe_api.subscription(row.stripe_id)))
    if not _agree(row, fetched.value):
        apply_fetched_subscription(fetched, at)
        row = find()
        if not _agree(row, fetched.value):
            raise ChangeInProgress(_("The subscription is changing right now; try again."))
    return row, fetched.value


def _agree(row: Subscription, snapshot: SubscriptionSnapshot) -> bool:
    """Status, interval and period are the same, and the seats that are billed exist."""
    ours = (row.status, row.interval, row.cancel_at, row.period_end, row.ended_at)
    at_stripe = (
        snapshot.status,
        snapshot.interval,
        snapshot.cancel_at,
        snapshot.period_end,
        snapshot.ended_at,
    )
    return ours == at_stripe and prices_of(bill_now(planned_seats(row), row.interval)) == snapshot.quantities
