"""The Team as Stripe knows it."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from billing.fetch import Fetched
from billing.models import Customer
from billing.stripe_api.snapshots import CustomerSnapshot
from teams.models import Team
from teams.services.locks import lock_kept_team, lock_team
from tokenplan.kit.transactions import one_transaction

# What follows an answer of Stripe's; the rest of the row is written by others, without waiting for this.
FETCHED = ("stripe_id", "request", "card", "other_methods", "balance_nanousd", "fetch_sequence")


@one_transaction()
def customer_row(*, team: Team, at: datetime) -> Customer:
    """The Team's Customer row, made if needed. Stripe may not know the customer yet."""
    lock_team(team)
    return Customer.objects.get_or_create(team=team, defaults={"created_at": at})[0]


@one_transaction()
def set_contact_email(*, customer: Customer, email: str) -> None:
    """Stripe writes to this address now."""
    Customer.objects.filter(pk=customer.pk).update(contact_email=email)


@one_transaction()
def mark_reconciled(*, customer_id: str, at: datetime) -> None:
    """All that Stripe has of it was compared."""
    Customer.objects.filter(stripe_id=customer_id).update(reconciled_at=at)


@one_transaction()
def apply_customer(*, team: Team, fetched: Fetched[CustomerSnapshot], at: datetime) -> list[str]:
    """Our mirror shows what was fetched, unless it shows something more recent. A customer deleted at Stripe
    is forgotten: the next purchase makes a new one. Returns what changed, a line.
    """
    snapshot = fetched.value
    lock_kept_team(team)
    row, _ = Customer.objects.get_or_create(team=team, defaults={"created_at": at})
    if row.fetch_sequence >= fetched.sequence:
        return []
    before = (row.stripe_id, row.card, row.other_methods, row.balance_nanousd)
    row.stripe_id, row.card, row.balance_nanousd = snapshot.id, snapshot.card[:200], snapshot.balance_nanousd
    row.other_methods = list(snapshot.other_methods)
    if snapshot.deleted:
        row.stripe_id, row.request = None, uuid4()
    row.fetch_sequence = fetched.sequence
    row.save(update_fields=FETCHED)
    if before == (row.stripe_id, row.card, row.other_methods, row.balance_nanousd):
        return []
    methods = ", ".join([snapshot.card or "no card", *snapshot.other_methods])
    return [f"customer {snapshot.id}: {'deleted' if snapshot.deleted else methods}"]
