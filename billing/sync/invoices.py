"""An invoice, the subscription that it bills, and the purchase of Credits that it bills.

What follows an invoice that failed to be paid: Stripe calls the subscription past due; the sync of the
subscription finds since when (`sync/subscriptions.py`), notifies the Owner, and suspends the seats after a
week (`services/overdue.py`).
"""

from __future__ import annotations

from datetime import datetime

from billing import stripe_api
from billing.fetch import Fetched, fetch
from billing.models import Invoice
from billing.services import purchases
from billing.services.invoices import apply_invoice
from billing.services.refunds import take_back_credits
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.sync.customers import team_of
from billing.sync.payments import keep_vouchers, known_purchase, named_purchase
from billing.sync.seats_taken_back import take_back_seats
from billing.sync.subscriptions import sync_subscription
from teams.models import Team


def sync_invoice(id: str, at: datetime, *, with_subscription: bool = True) -> list[str]:
    """As `apply_fetched_invoice`, of what Stripe answers now."""
    fetched = fetch(lambda: stripe_api.invoice(id))
    return apply_fetched_invoice(fetched, at, with_subscription=with_subscription)


def apply_fetched_invoice(
    fetched: Fetched[InvoiceSnapshot], at: datetime, *, with_subscription: bool = True
) -> list[str]:
    """Our mirror, the subscription that it bills (unless that is synced elsewhere), and the purchase."""
    snapshot = fetched.value
    known = Invoice.objects.select_related("team").filter(stripe_id=snapshot.id).first()
    team = team_of(known, snapshot.customer_id, at)
    if team is None:
        return []
    changed = apply_invoice(team=team, fetched=fetched, at=at)
    changed += keep_vouchers(Invoice.objects.filter(stripe_id=snapshot.id), at)
    if snapshot.payment_id and snapshot.subscription_id:
        changed += take_back_seats(team, snapshot.payment_id, at)
    if snapshot.subscription_id and with_subscription:
        changed += sync_subscription(snapshot.subscription_id, at)
    return changed + _apply_purchase(team, snapshot, at) if snapshot.purchase_id else changed


def _apply_purchase(team: Team, snapshot: InvoiceSnapshot, at: datetime) -> list[str]:
    """An invoice of Credits."""
    if snapshot.status != "paid":
        purchase = known_purchase(team, snapshot.purchase_id)
        if purchase is not None and snapshot.status == "open":
            purchases.set_invoice_id(purchase=purchase, invoice_id=snapshot.id)
        return []
    purchase = named_purchase(team, snapshot, at)
    if purchase is None:
        return []
    changed = purchases.grant_purchase(
        purchase=purchase, payment_id=snapshot.payment_id, invoice_id=snapshot.id, at=at
    )
    return changed + take_back_credits(purchase=purchase, at=at)
