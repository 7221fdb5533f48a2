"""What a Team pays next."""

from __future__ import annotations

from dataclasses import dataclass

from billing import stripe_api
from billing.errors import NotSubscribed
from billing.models import Customer, Subscription
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from teams.models import Team


@dataclass(frozen=True, slots=True)
class NextInvoice:
    """`invoice`: the next regular one as Stripe would make it now; None if there will be none. `card`: the
    card that is charged, such as "Visa ···· 4242"; empty if none is known.
    """

    invoice: InvoiceSnapshot | None
    card: str


def next_invoice(*, team: Team) -> NextInvoice:
    """Raises PaymentsUnavailable, NotSubscribed."""
    row = Subscription.objects.for_team(team).live().first()
    if row is None:
        raise NotSubscribed
    snapshot = stripe_api.subscription(row.stripe_id)
    customer = Customer.objects.filter(team=team).first()
    invoice = stripe_api.next_invoice(snapshot) if row.ends_at is None else None
    method = snapshot.charged_method
    return NextInvoice(invoice, method.text if method else customer.card if customer else "")
