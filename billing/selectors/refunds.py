"""What a refund takes back of the Credits that were bought."""

from __future__ import annotations

from dataclasses import dataclass

from billing.models import CreditPurchase, Invoice, Payment
from quota.models import CreditGrant


@dataclass(frozen=True, slots=True)
class ClawBack:
    """`owed`: what the lot is to lose. `taken`: as much of it as is unused; the rest stays used."""

    lot: CreditGrant
    owed_nanousd: int
    taken_nanousd: int


def owed_of(purchase: CreditPurchase, payment: Payment, *, more_nanousd: int = 0) -> int:
    """The share of the purchase that was refunded, in nano-dollars; after a lost dispute, all that was paid
    by this payment. What the customer's balance paid for stays. `more_nanousd`: to be refunded on top.
    """
    lost = payment.dispute == Payment.Dispute.LOST
    back = payment.received_nanousd if lost else payment.refunded_nanousd + more_nanousd
    bill = Invoice.objects.filter(stripe_id=purchase.invoice_id).first() if purchase.invoice_id else None
    whole = max(payment.received_nanousd + (bill.by_balance_nanousd if bill else 0), 1)
    return min(purchase.amount_nanousd * back // whole, purchase.amount_nanousd)


def claw_back_of(payment: Payment, *, amount_nanousd: int) -> ClawBack | None:
    """What a refund of this amount, now, would take back; None where the payment bought no Credits."""
    purchase = CreditPurchase.objects.filter(payment_id=payment.stripe_id).select_related("lot").first()
    if purchase is None or purchase.lot is None:
        return None
    owed = owed_of(purchase, payment, more_nanousd=amount_nanousd) - purchase.clawed_nanousd
    owed = max(owed, 0)
    return ClawBack(purchase.lot, owed, min(owed, purchase.lot.remaining_nanousd))
