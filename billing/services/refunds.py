"""Refunds, and what they take back of the Credits that were bought. An operator's refund is recorded before
Stripe is asked, and its id is the idempotency key.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from django.db.models import Q
from django.utils.translation import gettext as _

from billing.errors import ChangeInProgress, RefundTooHigh
from billing.models import CreditPurchase, InviteVoucher, Invoice, Payment, Refund
from billing.money import NANOUSD_PER_CENT
from billing.selectors.refunds import owed_of
from billing.services.notifications import notify_of_failed_refund, notify_of_refused_refund, notify_payers
from billing.services.undos import ended_by
from billing.stripe_api.snapshots import RefundSnapshot
from quota.hot_path.locks import lock_lot
from quota.models import CreditLedgerEntry
from quota.money import usd_text
from quota.selectors.credits import gain_of
from quota.services import credits
from teams.models import AuditEntry, User
from teams.services.audit import record
from teams.services.locks import lock_kept_team
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction, refused_by

State = Refund.State
Dispute = Payment.Dispute
_OF_USAGE = (CreditLedgerEntry.Kind.USE, CreditLedgerEntry.Kind.CORRECTION)


def check_refund(*, payment: Payment, amount_nanousd: int, reason: str) -> None:
    """Raises RefundTooHigh or InvalidValue unless this can be refunded."""
    if amount_nanousd <= 0 or amount_nanousd % NANOUSD_PER_CENT:
        raise InvalidValue(_("An amount is in whole cents and above 0"), pointer="/amount")
    if amount_nanousd > payment.left_nanousd:
        left = _("%(amount)s of this payment can still be refunded")
        raise RefundTooHigh(left % {"amount": usd_text(payment.left_nanousd)}, pointer="/amount")
    if not reason.strip():
        raise InvalidValue(_("Give a reason"), pointer="/reason")


@one_transaction()
def open_refund(
    *,
    payment: Payment,
    amount_nanousd: int,
    reason: str,
    request: UUID | None = None,
    at: datetime,
    by: User | None,
) -> Refund:
    """The same `request` again gives the refund that it opened. Raises RefundTooHigh, InvalidValue, and
    ChangeInProgress while another refund of this payment is under way.
    """
    lock_kept_team(payment.team)
    before = Refund.objects.filter(pk=request).first() if request else None
    if before is not None:
        if (before.payment_id, before.amount_nanousd) != (payment.pk, amount_nanousd):
            sent = _("This form was sent before, to refund %(amount)s; open a new one")
            raise InvalidValue(sent % {"amount": usd_text(before.amount_nanousd)})
        return before
    payment = Payment.objects.get(pk=payment.pk)
    check_refund(payment=payment, amount_nanousd=amount_nanousd, reason=reason)
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
    """Stripe made the refund `stripe_id`, or refused it for the reason `error`: operators are told then. The
    Owner hears of the refund of a missed end, which nobody asked for, when it is known what became of it.
    """
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
        if error:
            notify_of_refused_refund(refund=refund, at=at)
        if refund.by is None:
            bills = Invoice.objects.for_team(refund.payment.team).filter(payment_id=refund.payment.stripe_id)
            notify_payers(
                team=refund.payment.team,
                kind="cancellation_missed",
                dedupe_key=f"cancellation_missed:{refund.pk}",
                at=at,
                amount=refund.amount_nanousd,
                refused="yes" if error else "",
                balance=sum(bill.by_balance_nanousd for bill in bills),
            )
    return refund


@one_transaction()
def fail_refund(*, payment: Payment, snapshot: RefundSnapshot, at: datetime) -> list[str]:
    """The money of a refund has come back: operators are told, once, since somebody must pay it back in
    another way. The Credits follow the payment. Returns what changed, a line.
    """
    team = lock_kept_team(payment.team)
    row = Refund.objects.filter(payment=payment, stripe_id=snapshot.id).first()
    if row is not None and row.state != State.FAILED:
        row.state, row.error = State.FAILED, snapshot.failure[:500]
        row.save(update_fields=["state", "error"])
    known = AuditEntry.objects.filter(action="payment.refund_failed", details__refund=snapshot.id)
    if known.filter(subject=payment.stripe_id).exists():
        return []
    notify_of_failed_refund(payment=payment, snapshot=snapshot, ended=ended_by(payment), at=at)
    amount = usd_text(snapshot.amount_nanousd)
    details = {"amount": amount, "error": snapshot.failure, "refund": snapshot.id}
    record(
        team=team, by=None, action="payment.refund_failed", subject=payment.stripe_id, details=details, at=at
    )
    return [f"refund {snapshot.id}: failed"]


@one_transaction()
def take_back_credits(*, purchase: CreditPurchase, at: datetime) -> list[str]:
    """The purchase's lot follows what we know of its payment already: the two may become known in any order.
    Returns what changed, a line each.
    """
    lock_kept_team(purchase.team)
    purchase = CreditPurchase.objects.get(pk=purchase.pk)
    payment = Payment.objects.filter(stripe_id=purchase.payment_id).first() if purchase.payment_id else None
    return adjust_credits_to_payment(purchase=purchase, payment=payment, at=at) if payment else []


def adjust_credits_to_payment(*, purchase: CreditPurchase, payment: Payment, at: datetime) -> list[str]:
    """`follow_payment` of what the payment bought."""
    return follow_payment(granted=purchase, payment=payment, owed=owed_of(purchase, payment), at=at)


def follow_payment(
    *, granted: CreditPurchase | InviteVoucher, payment: Payment, owed: int, at: datetime
) -> list[str]:
    """What was refunded takes its share of the lot, in all the `owed` nano-dollars, as far as it is unused,
    also where what was used has come back since; a dispute freezes the lot, and a lost one takes all that is
    left. A refund that failed gives back what it took. Called inside a transaction that has locked the Team
    that paid. Returns what changed, a line each.
    """
    lot = granted.lot
    if lot is None:
        return []
    changed = []
    disputed, decided = payment.dispute == Dispute.OPEN, payment.dispute in (Dispute.WON, Dispute.LOST)
    if (disputed and lot.frozen_at is None) or (decided and lot.frozen_at is not None):
        lot = credits.freeze_lot(lot=lot, frozen=disputed, at=at, by=None)
        changed.append(f"lot {lot.pk} is {'frozen' if disputed else 'free again'}")
    if owed == granted.clawed_nanousd == 0:
        return changed
    lot = lock_lot(lot)
    cause = f"payment {payment.stripe_id} "
    taken = -gain_of(lot, Q(cause__startswith=cause))
    if owed >= taken:
        used = -gain_of(lot, Q(kind__in=_OF_USAGE))
        unused = min(lot.amount_nanousd - used - taken, lot.remaining_nanousd)
        gained = -max(min(owed - taken, unused), 0)
        # A voucher is nobody's money, so it is not paid back.
        kind = CreditLedgerEntry.Kind.ADJUSTMENT if lot.is_voucher else CreditLedgerEntry.Kind.REFUND
        why = "lost in a dispute" if payment.dispute == Dispute.LOST else "refunded"
    else:
        # An operator may have corrected the lot meanwhile: it never holds more than it was granted.
        room = lot.amount_nanousd - lot.remaining_nanousd
        gained, kind = min(taken - owed, room), CreditLedgerEntry.Kind.ADJUSTMENT
        why = "was not refunded after all"
    if not gained and owed == granted.clawed_nanousd:
        return changed
    if gained:
        credits.adjust_lot(lot=lot, nanousd=gained, kind=kind, cause=cause + why, at=at, by=None)
    granted.clawed_nanousd = owed
    granted.save(update_fields=["clawed_nanousd"])
    return [*changed, f"lot {lot.pk} changes by {gained} nano-dollars: {cause}{why}"]
