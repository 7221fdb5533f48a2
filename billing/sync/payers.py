"""A customer, and what follows from how and from where it pays."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from billing import stripe_api
from billing.errors import AddressNeeded, StripeRefused
from billing.models import Invoice
from billing.sync.customers import sync_customer, team_of_customer
from billing.sync.invoices import sync_invoice
from billing.sync.subscriptions import sync_subscription_of
from teams.models import Team


def sync_payer(id: str, at: datetime) -> list[str]:
    """The customer, what its live subscription is charged to, and invoices that waited for its address."""
    changed = sync_customer(id, at)
    team = team_of_customer(id, at)
    if team is None:
        return changed
    return changed + sync_subscription_of(team, at) + _complete_drafts(team, at)


def _complete_drafts(team: Team, at: datetime) -> list[str]:
    """Stripe does not try again by itself to finalize an invoice whose tax it could not calculate. Only those
    of a subscription: a top-up that could not be billed was given up, and is begun anew.
    """
    changed = []
    for draft in Invoice.objects.for_team(team).filter(status="draft").exclude(subscription_id=""):
        if stripe_api.invoice(draft.stripe_id).needs_address:
            with suppress(AddressNeeded, StripeRefused):  # it is not there yet; or somebody finalized it
                stripe_api.finalize_invoice(draft.stripe_id, collects=True)
            changed += sync_invoice(draft.stripe_id, at)
    return changed
