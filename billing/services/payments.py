"""Our mirrors of Stripe's payments. The Credits that a payment bought follow it: `refunds`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.fetch import Fetched
from billing.models import CreditPurchase, Payment
from billing.services.notifications import notify_payers
from billing.services.refunds import adjust_credits_to_payment
from billing.stripe_api.snapshots import PaymentSnapshot
from quota.models import CreditGrant
from teams.models import Team
from teams.services.audit import Details, record
from teams.services.locks import lock_kept_team
from tokenplan.kit.transactions import one_transaction


@dataclass(frozen=True, slots=True)
class _Shown:
    """The part of a payment that people are notified about."""

    status: str
    refunded_nanousd: int
    dispute: str


@one_transaction()
def apply_payment(*, team: Team, fetched: Fetched[PaymentSnapshot], at: datetime) -> list[str]:
    """Our mirror shows what was fetched, unless it shows something more recent, and the lot that the payment
    bought follows. Returns what changed, a line each.
    """
    snapshot = fetched.value
    team = lock_kept_team(team)
    row = Payment.objects.filter(stripe_id=snapshot.id).first() or Payment(team=team, stripe_id=snapshot.id)
    if row.fetch_sequence >= fetched.sequence:
        return []
    before = _Shown(row.status, row.refunded_nanousd, row.dispute)
    row.status, row.created_at, row.failure = snapshot.status, snapshot.created_at, snapshot.failure[:500]
    row.amount_nanousd, row.received_nanousd = snapshot.amount_nanousd, snapshot.received_nanousd
    row.refunded_nanousd, row.dispute = snapshot.refunded_nanousd, snapshot.dispute
    row.fingerprint, row.fetch_sequence = snapshot.fingerprint[:100], fetched.sequence
    row.save()
    if before == _Shown(row.status, row.refunded_nanousd, row.dispute):
        return []
    details: Details = {
        "status": row.status,
        "amount_nanousd": row.amount_nanousd,
        "refunded_nanousd": row.refunded_nanousd,
        "dispute": row.dispute or "none",
    }
    record(team=team, by=None, action="payment.changed", subject=row.stripe_id, details=details, at=at)
    changed = [f"payment {row.stripe_id}: {row.status}"]
    purchase = CreditPurchase.objects.filter(payment_id=row.stripe_id).first()
    if purchase is not None:
        changed += adjust_credits_to_payment(purchase=purchase, payment=row, at=at)
    _notify(row, before, purchase, at)
    return changed


def _notify(row: Payment, before: _Shown, purchase: CreditPurchase | None, at: datetime) -> None:
    """Mails what was refunded, how a dispute stands, and what is left of the Credits that were bought."""
    lot = CreditGrant.objects.filter(purchase=purchase).first() if purchase else None
    about: dict[str, str | int] = {
        "of": row.received_nanousd,
        "paid_on": row.created_at.isoformat(),
        "lot": lot.pk if lot else "",
        "account": lot.account if lot else "",
        "left": lot.remaining_nanousd if lot else 0,
    }
    if row.refunded_nanousd > before.refunded_nanousd:
        about |= {
            "amount": row.refunded_nanousd - before.refunded_nanousd,
            "in_all": row.refunded_nanousd,
        }
        once = f"refunded:{row.stripe_id}:{row.refunded_nanousd}"
        notify_payers(team=row.team, kind="refunded", dedupe_key=once, at=at, **about)
    if row.dispute and row.dispute != before.dispute:
        once = f"payment_disputed:{row.stripe_id}:{row.dispute}"
        about["state"] = row.dispute
        notify_payers(team=row.team, kind="payment_disputed", dedupe_key=once, at=at, **about)
