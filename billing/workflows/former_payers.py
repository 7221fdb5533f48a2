"""What those have left behind who do not manage a Team's billing any more (docs/decisions/0079): what would
still be paid is given up, what is planned stands, and who pays now is told.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from billing.models import Change, Checkout, Subscription
from billing.services.changes import notify_of_dropped_change, notify_of_what_stands
from billing.workflows.batches import work_each
from billing.workflows.changes import drop_change
from billing.workflows.checkouts import leave_checkout
from teams.models import Membership


def _pays(user: str) -> Exists:
    return Exists(Membership.objects.live().payers().filter(team=OuterRef("team"), user=OuterRef(user)))


def end_checkouts_of_former_payers(*, at: datetime) -> int:
    """The sweep: open sessions. Their address leads to a page that offers the Team's card, whoever opens it.
    Returns how many are over. Raises PaymentsUnavailable.
    """
    left = Checkout.objects.filter(~_pays("by"), state=Checkout.State.OPEN).exclude(by=None)
    return work_each(
        left.select_related("team"),
        lambda checkout: leave_checkout(checkout=checkout, at=at).came_to_nothing(),
        "Checkout %s was not ended",
    )


def drop_changes_of_former_payers(*, at: datetime) -> int:
    """The sweep: changes that wait for a payment at Stripe's page, which whoever asked for them can still
    open. One whose payment is under way is left to it. Returns how many are over. Raises PaymentsUnavailable.
    """
    left = Change.objects.unfinished().filter(~_pays("by"), state=Change.State.AWAITS_PAYMENT)
    return work_each(
        left.exclude(by=None).exclude(pay_url="").select_related("team", "subscription", "by"),
        lambda change: _drop(change, at),
        "Change %s was not dropped",
    )


def _drop(change: Change, at: datetime) -> bool:
    """Whether it is over now. It may just have been paid."""
    change = drop_change(change=change, at=at)
    if change.state == Change.State.REFUSED:
        notify_of_dropped_change(change=change, at=at)
    return change.closed_at is not None


def tell_what_former_payers_planned(*, at: datetime) -> int:
    """The sweep: what is planned for a period's end. Returns of how many subscriptions it was told."""
    planned = Q(cancel_asked=True) | ~Q(cancel_at=None) | ~Q(planned_for=None)
    left = Subscription.objects.live().filter(planned, ~_pays("planned_by")).exclude(planned_by=None)
    return work_each(
        left.select_related("team", "planned_by"),
        lambda row: notify_of_what_stands(subscription=row, at=at),
        "What is planned for subscription %s was told nobody",
    )
