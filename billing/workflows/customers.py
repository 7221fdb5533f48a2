"""The Team's customer at Stripe, and Stripe's page for its cards and invoices."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from billing import stripe_api
from billing.fetch import fetch
from billing.services.customers import apply_customer, customer_row, set_contact_email
from teams.models import Membership, Role, Team


def ensure_customer(*, team: Team, at: datetime) -> str:
    """The Team's id at Stripe, made there once, under the Team's name and its Owner's address. Raises what
    Stripe says.
    """
    row = customer_row(team=team, at=at)
    if row.stripe_id:
        return row.stripe_id
    owner = Membership.objects.for_team(team).live().select_related("user").get(role=Role.OWNER)
    fetched = fetch(
        lambda: stripe_api.create_customer(
            request=row.request, name=team.name, email=owner.user.email, team_id=team.pk
        )
    )
    apply_customer(team=team, fetched=fetched, at=at)
    set_contact_email(customer=row, email=fetched.value.email)
    return fetched.value.id


def portal_url(*, team: Team, at: datetime) -> str:
    """Stripe's page for cards and invoices, for this Team."""
    back = f"{settings.BASE_URL}/teams/{team.slug}/billing/"
    return stripe_api.portal_url(ensure_customer(team=team, at=at), return_url=back)
