"""What a refund takes back of the Credits that were bought."""

from __future__ import annotations

from dataclasses import dataclass

from billing.models import CreditPurchase, Payment
from quota.models import CreditGrant


@dataclass(frozen=True, slots=True)
class ClawBack:
    """`owed`: what the lot is to lose. `taken`: as much of it as is unused; the rest stays used."""

    lot: CreditGrant
    owed_nanousd: int
    taken_nanousd: int


def owed_of(purchase: CreditPurchase, payment: Payment, *, more_nanousd: int = 0) -> int:
    """The share of the purchase that was refunded, in nano-dollars; all of it after a lost dispute.
    `more_nanousd`: to be refunded on top.
    """
    if payment.dispute == Payment.Dispute.LOST:
        return purchase.amount_nanousd
    back = payment.refunded_nanousd + more_nanousd
    return min(purchase.amount_nanousd * back // max(payment.received_nanousd, 1), purchase.amount_nanousd)


def claw_back_of(payment: Payment, *, amount_nanousd: int) -> ClawBack | None:
    """What a refund of this amount, now, would take back; None where the payment bought no Credits."""
    purchase = CreditPurchase.objects.filter(payment_id=payment.stripe_id).select_related("lot").first()
    if purchase is None or purchase.lot is None:
        return None
    owed = owed_of(purchase, payment, more_nanousd=amount_nanousd) - purchase.clawed_nanousd
    owed = max(owed, 0)
    return ClawBack(purchase.lot, owed, min(owed, purchase.lot.remaining_nanousd))
