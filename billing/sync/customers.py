"""A customer at Stripe, and the Team that it is."""

from __future__ import annotations

from datetime import datetime

from billing import stripe_api
from billing.fetch import fetch
from billing.models import Customer, Invoice, Payment, Subscription
from billing.services.customers import apply_customer
from teams.models import Team


def sync_customer(id: str, at: datetime) -> list[str]:
    team = team_of_customer(id, at)
    if team is None:
        return []
    return apply_customer(team=team, fetched=fetch(lambda: stripe_api.customer(id)), at=at)


def team_of_customer(customer_id: str, at: datetime) -> Team | None:
    """The Team that is this customer; None if the customer is not ours. If our row lacks the customer's id,
    as after a crash, it is filled in.
    """
    row = Customer.objects.select_related("team").filter(stripe_id=customer_id).first()
    if row is not None:
        return row.team
    if not customer_id:
        return None
    fetched = fetch(lambda: stripe_api.customer(customer_id))
    named = fetched.value.team_id
    team = Team.objects.filter(pk=int(named)).first() if named.isascii() and named.isdigit() else None
    if team is None or Customer.objects.filter(team=team).exclude(stripe_id=None).exists():
        return None
    apply_customer(team=team, fetched=fetched, at=at)
    return team


def team_of(mirror: Subscription | Invoice | Payment | None, customer_id: str, at: datetime) -> Team | None:
    """The Team of an object at Stripe: that of our mirror if there is one, else that of the customer."""
    return mirror.team if mirror is not None else team_of_customer(customer_id, at)
