"""Refunds by an operator."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from billing import stripe_api
from billing.errors import PaymentDeclined, StripeMissing, StripeRefused
from billing.models import Payment, Refund
from billing.services import refunds
from billing.sync.payments import sync_payment
from billing.workflows.batches import work_each
from teams.models import User
from tokenplan.kit.errors import Refusal
from tokenplan.kit.stored_texts import stored_detail

# A refund that was opened so long ago and is not closed was interrupted.
SENT_FOR = timedelta(minutes=5)


def refund_payment(
    *,
    payment: Payment,
    amount_nanousd: int,
    reason: str,
    request: UUID | None = None,
    at: datetime,
    by: User,
) -> Refund:
    """Refunds, and takes back the same share of the Credits that were bought, as far as they are unused. Once
    per `request`.

    Raises RefundTooHigh, InvalidValue, ChangeInProgress; StripeRefused when it was not done;
    PaymentsUnavailable when that is not known yet: the sweep sends it again, and Stripe does it once.
    """
    refund = refunds.open_refund(
        payment=payment, amount_nanousd=amount_nanousd, reason=reason, request=request, at=at, by=by
    )
    if refund.state == Refund.State.REFUSED:
        raise StripeRefused(refund.error)
    return refund if refund.state == Refund.State.DONE else send_refund(refund=refund, at=at)


def send_refund(*, refund: Refund, at: datetime) -> Refund:
    """Asks Stripe; once, however often it is sent. Raises what Stripe says to that alone: a refund that is
    made is done, whatever becomes of what it paid for. The event of the refund is worked until that follows,
    and operators are told where Stripe refuses it.
    """
    payment = refund.payment
    try:
        id = stripe_api.refund(payment.stripe_id, nanousd=refund.amount_nanousd, request=refund.pk)
    except (StripeRefused, StripeMissing, PaymentDeclined) as refusal:
        refunds.close_refund(refund=refund, error=stored_detail(refusal), at=at)
        raise
    refund = refunds.close_refund(refund=refund, stripe_id=id, at=at)
    with suppress(Refusal):
        sync_payment(payment.stripe_id, at)
    return refund


def send_open_refunds(*, at: datetime) -> int:
    """The sweep: those whose sending was interrupted. Returns how many are done. Raises
    PaymentsUnavailable.
    """
    sent = Refund.objects.filter(state=Refund.State.OPEN, created_at__lte=at - SENT_FOR)
    return work_each(
        sent.select_related("payment__team", "by"),
        lambda refund: send_refund(refund=refund, at=at).state == Refund.State.DONE,
        "Refund %s is not done",
    )
