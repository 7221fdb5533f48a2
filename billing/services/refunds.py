"""What an operator pays back. The row is written before Stripe is asked, and its id makes it once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from billing.errors import ChangeInProgress, RefundTooHigh
from billing.models import Payment, Refund
from billing.money import NANOUSD_PER_CENT
from quota.money import usd_text
from teams.models import User
from teams.services.audit import record
from teams.services.locks import lock_kept_team
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction, refused_by

State = Refund.State


def check(*, payment: Payment, amount_nanousd: int, reason: str) -> None:
    """May this be paid back? Raises RefundTooHigh, InvalidValue."""
    if amount_nanousd <= 0 or amount_nanousd % NANOUSD_PER_CENT:
        raise InvalidValue("An amount is whole cents, above nothing", pointer="/amount")
    if amount_nanousd > payment.left_nanousd:
        raise RefundTooHigh(f"Of this payment {usd_text(payment.left_nanousd)} is left", pointer="/amount")
    if not reason.strip():
        raise InvalidValue("Say why", pointer="/reason")


@one_transaction()
def open_refund(
    *,
    payment: Payment,
    amount_nanousd: int,
    reason: str,
    request: UUID | None = None,
    at: datetime,
    by: User,
) -> Refund:
    """The same `request` again gives the refund that it opened. Raises RefundTooHigh, InvalidValue,
    ChangeInProgress while another one of this payment is under way.
    """
    lock_kept_team(payment.team)
    before = Refund.objects.filter(pk=request).first() if request else None
    if before is not None:
        if (before.payment_id, before.amount_nanousd) != (payment.pk, amount_nanousd):
            raise InvalidValue(f"This was asked before, for {usd_text(before.amount_nanousd)}; start anew")
        return before
    payment = Payment.objects.get(pk=payment.pk)
    check(payment=payment, amount_nanousd=amount_nanousd, reason=reason)
    with refused_by(a_payment_has_one_refund_under_way=ChangeInProgress):
        refund = Refund.objects.create(
            pk=request or uuid4(),
            payment=payment,
            amount_nanousd=amount_nanousd,
            reason=reason.strip(),
            by=by,
            created_at=at,
        )
    details = {"amount": usd_text(amount_nanousd), "reason": refund.reason}
    record(
        team=payment.team,
        by=by,
        action="payment.refund_asked",
        subject=payment.stripe_id,
        details=details,
        at=at,
    )
    return refund


@one_transaction()
def close_refund(*, refund: Refund, stripe_id: str = "", error: str = "", at: datetime) -> Refund:
    """Stripe did it, as `stripe_id`, or said why not."""
    lock_kept_team(refund.payment.team)
    refund.refresh_from_db()
    if refund.state == State.OPEN:
        refund.state = State.REFUSED if error else State.DONE
        refund.stripe_id, refund.error = stripe_id, error[:500]
        refund.save(update_fields=["state", "stripe_id", "error"])
        action = "payment.refund_refused" if error else "payment.refunded"
        details = {"amount": usd_text(refund.amount_nanousd), "error": refund.error}
        record(
            team=refund.payment.team,
            by=refund.by,
            action=action,
            subject=refund.payment.stripe_id,
            details=details,
            at=at,
        )
    return refund
