"""A customer at Stripe, and the Team that it is."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db.models import F, OuterRef, Subquery

from billing import stripe_api
from billing.errors import AnswerUnreadable, PaymentsUnavailable
from billing.fetch import fetch
from billing.models import Customer, Invoice, Payment, Subscription
from billing.services.customers import apply_customer, set_contact_email
from teams.models import Membership, Role, Team
from tokenplan.kit.errors import Refusal

logger = logging.getLogger(__name__)


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


def renew_contacts(*, at: datetime) -> int:
    """The sweep: after a transfer, or with another address of the Owner's, Stripe's mails go where they
    belong. Returns how many were renewed.
    """
    owners = Membership.objects.live().filter(team=OuterRef("team"), role=Role.OWNER)
    customers = Customer.objects.exclude(stripe_id=None).select_related("team")
    known = customers.annotate(owner_email=Subquery(owners.values("user__email")[:1]))
    renewed = 0
    for row in known.exclude(owner_email=None).exclude(contact_email=F("owner_email")).order_by("pk"):
        try:
            renewed += bool(renew_contact(row))
        except PaymentsUnavailable as refusal:
            if not isinstance(refusal, AnswerUnreadable):
                raise
            logger.warning("The contact of %s was not renewed: %s", row, refusal)
        except Refusal as refusal:
            logger.warning("The contact of %s was not renewed: %s", row, refusal)
        except Exception:  # whatever is wrong with this one, the others are renewed
            logger.exception("The contact of %s was not renewed", row)
    return renewed


def renew_contact(row: Customer) -> list[str]:
    """Stripe writes to the Team's Owner, unless the customer has typed another address there: an address
    that we did not give is never overwritten. Returns what was done, a line.
    """
    owner = Membership.objects.owner_of(row.team)
    if owner is None or row.stripe_id is None or owner.user.email == row.contact_email:
        return []
    email = owner.user.email
    found = stripe_api.customer(row.stripe_id)
    is_ours = found.email in ("", row.contact_email) or not row.contact_email
    renews = is_ours and found.email != email and not found.deleted
    if renews:
        stripe_api.set_contact(row.stripe_id, email=email)
    set_contact_email(customer=row, email=email)
    return [f"customer {row.stripe_id}: mail goes to {email}"] if renews else []
