"""What a Team pays next, and what came of what is under way."""

from __future__ import annotations

from datetime import datetime

from billing import stripe_api
from billing.facts import InvoiceFacts
from billing.models import Change, Subscription
from billing.workflows.looks import look_at_subscription
from teams.models import Team


def next_invoice(*, team: Team) -> InvoiceFacts | None:
    """The next regular invoice as Stripe would make it now. None without a subscription, and where no
    further invoice will come. Raises PaymentsUnavailable."""
    row = Subscription.objects.for_team(team).live().first()
    if row is None or row.ends_at is not None:
        return None
    return stripe_api.next_invoice(row.stripe_id)


def is_under_way(*, team: Team) -> bool:
    """Does a payment, made on a page of Stripe's, change something soon?"""
    row = Subscription.objects.for_team(team).live().first()
    return row is not None and (
        row.status in Subscription.OWES
        or row.status == Subscription.Status.INCOMPLETE
        or Change.objects.filter(subscription=row, closed_at=None).exists()
    )


def look_at_team(*, team: Team, at: datetime) -> list[str]:
    """A look at the Team's subscription, for who does not want to wait for the webhook."""
    row = Subscription.objects.for_team(team).live().first()
    return look_at_subscription(row.stripe_id, at) if row else []
