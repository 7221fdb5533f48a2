"""Canceling a subscription at its period's end, and resuming it. Nothing is charged by either."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.utils.translation import gettext

from billing import stripe_api
from billing.change_requests import bill_later
from billing.errors import StripeRefused
from billing.models import Subscription
from billing.selectors.prices import prices_of
from billing.services.cancellations import ask_to_cancel, ask_to_resume, cancelable, resumable
from billing.services.changes import planned_seats
from billing.stripe_api.snapshots import SubscriptionSnapshot
from billing.sync.schedule import renew_again
from billing.sync.subscriptions import agreed_subscription, sync_subscription
from billing.workflows.change_previews import Preview
from billing.workflows.changes import refuse_another_amount
from teams.models import Team, User


def preview_cancel(*, team: Team, at: datetime) -> Preview:
    """Raises what `cancelable` does, ChangeInProgress, and what Stripe says."""
    _, snapshot = agreed_subscription(lambda: cancelable(team), at)
    return _preview(gettext("Cancel the subscription at the period's end"), snapshot, None)


def cancel(*, team: Team, amount_nanousd: int, at: datetime, by: User) -> None:
    """All seats work until the period's end. What is planned for them stays planned, in case it is resumed.

    Raises what `preview_cancel` does; AmountChanged for another amount than nothing.
    """
    row, _ = agreed_subscription(lambda: cancelable(team), at)
    refuse_another_amount(0, shown_nanousd=amount_nanousd)
    ask_to_cancel(team=row.team, at=at, by=by)
    # Refused where another sync has just made a schedule; the sync after that releases it and cancels.
    with suppress(StripeRefused):
        sync_subscription(row.stripe_id, at)
    sync_subscription(row.stripe_id, at)


def preview_resume(*, team: Team, at: datetime) -> Preview:
    """The amount is that of the next regular invoice. Raises what `resumable` does, ChangeInProgress, and
    what Stripe says.
    """
    row, snapshot = agreed_subscription(lambda: resumable(team), at)
    return _preview(gettext("Resume the subscription"), snapshot, _renewal_nanousd(row, snapshot))


def resume(*, team: Team, amount_nanousd: int, at: datetime, by: User) -> None:
    """The subscription renews again. Raises what `preview_resume` does; AmountChanged when the next regular
    invoice is not the one that was shown.
    """
    row, snapshot = agreed_subscription(lambda: resumable(team), at)
    refuse_another_amount(_renewal_nanousd(row, snapshot), shown_nanousd=amount_nanousd)
    row = ask_to_resume(team=row.team, at=at, by=by)
    renew_again(row)
    sync_subscription(row.stripe_id, at)


def _renewal_nanousd(row: Subscription, snapshot: SubscriptionSnapshot) -> int:
    """The next regular invoice, with what is planned for the period's end."""
    later = bill_later(planned_seats(row), row.later_interval)
    return stripe_api.preview_change(snapshot, prices_of(later), at=None).due_nanousd


def _preview(text: str, snapshot: SubscriptionSnapshot, renewal_nanousd: int | None) -> Preview:
    return Preview(
        text=text,
        at_once=False,
        amount_nanousd=renewal_nanousd or 0,
        lines=(),
        effective_at=snapshot.period_end,
        proration_at=None,
        renewal_nanousd=renewal_nanousd,
        renews_at=snapshot.period_end,
        effects=(),
    )
