"""What a Team pays next, and what came of what is under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing import stripe_api
from billing.errors import NotSubscribed
from billing.facts import InvoiceFacts
from billing.models import Customer, Subscription
from billing.workflows.looks import look_at_subscription
from teams.models import Team


@dataclass(frozen=True, slots=True)
class Upcoming:
    """`invoice`: the next regular one as Stripe would make it now; None where none will come. `card` is
    charged for it, as people know it; empty where none is known."""

    invoice: InvoiceFacts | None
    card: str


def next_invoice(*, team: Team) -> Upcoming:
    """Raises PaymentsUnavailable, NotSubscribed."""
    row = Subscription.objects.for_team(team).live().first()
    if row is None:
        raise NotSubscribed
    facts = stripe_api.subscription(row.stripe_id)
    customer = Customer.objects.filter(team=team).first()
    invoice = stripe_api.next_invoice(row.stripe_id) if row.ends_at is None else None
    return Upcoming(invoice, facts.card or (customer.card if customer else ""))


def is_under_way(*, team: Team) -> bool:
    """Is there something that a payment on Stripe's page would settle: a first or an overdue payment, or a
    change that is not finished?
    """
    row = Subscription.objects.for_team(team).live().first()
    return row is not None and (
        row.status in Subscription.OWES
        or row.status == Subscription.Status.INCOMPLETE
        or row.changes.unfinished().exists()
    )


def look_at_team(*, team: Team, at: datetime) -> list[str]:
    """A look at the Team's subscription, for who does not want to wait for the webhook."""
    row = Subscription.objects.for_team(team).live().first()
    return look_at_subscription(row.stripe_id, at) if row else []
