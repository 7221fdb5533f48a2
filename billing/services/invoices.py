"""Our mirrors of Stripe's invoices. What follows an unpaid one: `overdue`."""

from __future__ import annotations

from datetime import datetime

from billing.fetch import Fetched
from billing.models import Invoice
from billing.services.notifications import notify_payers
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from teams.models import Team
from teams.services.locks import lock_kept_team
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def apply_invoice(*, team: Team, fetched: Fetched[InvoiceSnapshot], at: datetime) -> list[str]:
    """Our mirror shows what was fetched, unless it shows something more recent. Where the draft of a
    subscription waits for an address, the Owner is asked for it. Returns what changed, a line.
    """
    snapshot = fetched.value
    team = lock_kept_team(team)
    row = Invoice.objects.filter(stripe_id=snapshot.id).first() or Invoice(team=team, stripe_id=snapshot.id)
    if row.fetch_sequence >= fetched.sequence:
        return []
    before = (row.status, row.paid_nanousd)
    row.subscription_id, row.number, row.status = snapshot.subscription_id, snapshot.number, snapshot.status
    row.payment_id, row.reason = snapshot.payment_id or row.payment_id, snapshot.reason
    row.total_nanousd, row.due_nanousd = snapshot.total_nanousd, snapshot.due_nanousd
    row.tax_nanousd = snapshot.tax_nanousd
    row.paid_nanousd, row.url = snapshot.paid_nanousd, snapshot.url
    row.created_at, row.fetch_sequence = snapshot.created_at, fetched.sequence
    row.save()
    if snapshot.status == "draft" and snapshot.needs_address and snapshot.subscription_id:
        once = f"address_needed:{snapshot.id}"
        notify_payers(team=team, kind="address_needed", dedupe_key=once, at=at)
    return [f"invoice {row}: {row.status}"] if before != (row.status, row.paid_nanousd) else []
