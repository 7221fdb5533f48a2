"""Credits follow the payment, once: granted when it has come, clawed back when it is paid back, frozen
while it is disputed.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Sum
from django.utils.formats import date_format

from billing.facts import PaymentFacts
from billing.models import CreditPurchase, Payment
from billing.selectors.refunds import owed_of
from billing.services.telling import tell_owner
from billing.services.top_ups import note_paid
from quota.models import CreditGrant, CreditLedgerEntry
from quota.money import credits_words, usd_text
from quota.services import credits
from teams.models import Team
from teams.services.audit import Details, record
from teams.services.locks import lock_kept_team, lock_team
from tokenplan.kit.transactions import one_transaction

State = CreditPurchase.State
Dispute = Payment.Dispute


@one_transaction()
def grant_purchase(*, purchase: CreditPurchase, payment_id: str, invoice_id: str, at: datetime) -> list[str]:
    """The purchase is paid: its lot is granted, once, and expires 365 days after that.

    `payment_id` is empty where a promotion left nothing to pay. One that was given up, and paid after all, is
    granted too: the money has come.
    """
    lock_team(purchase.team)
    purchase.refresh_from_db()
    if purchase.state == State.PAID:
        # Payment and invoice tell of it in any order, and each may know only itself.
        purchase.payment_id = purchase.payment_id or payment_id
        purchase.invoice_id = purchase.invoice_id or invoice_id
        purchase.save(update_fields=["payment_id", "invoice_id"])
        return []
    lot = credits.grant_credits(
        team=purchase.team,
        nanousd=purchase.amount_nanousd,
        source=f"purchase:{purchase.pk}",
        cause=purchase.get_kind_display(),
        at=at,
        by=None,
    )
    purchase.state, purchase.lot, purchase.reason, purchase.closed_at = State.PAID, lot, "", at
    purchase.payment_id = payment_id
    purchase.invoice_id = invoice_id or purchase.invoice_id
    purchase.save()
    if purchase.kind == CreditPurchase.Kind.TOP_UP:
        note_paid(purchase=purchase, at=at)
    return [f"purchase {purchase.pk}: lot {lot.pk} is granted"]


@one_transaction()
def apply_payment(*, team: Team, facts: PaymentFacts, ticket: int, at: datetime) -> list[str]:
    """Our copy of the payment says what Stripe said, and the lot it bought follows."""
    team = lock_kept_team(team)
    row = Payment.objects.filter(stripe_id=facts.id).first() or Payment(team=team, stripe_id=facts.id)
    if row.fetch >= ticket:
        return []
    before = (row.status, row.refunded_nanousd, row.dispute)
    row.status, row.created_at, row.failure = facts.status, facts.created_at, facts.failure[:500]
    row.amount_nanousd, row.received_nanousd = facts.amount_nanousd, facts.received_nanousd
    row.refunded_nanousd, row.dispute, row.fetch = facts.refunded_nanousd, facts.dispute, ticket
    row.save()
    after = (row.status, row.refunded_nanousd, row.dispute)
    if before == after:
        return []
    details: Details = {
        "status": row.status,
        "amount_nanousd": row.amount_nanousd,
        "refunded_nanousd": row.refunded_nanousd,
        "dispute": row.get_dispute_display(),
    }
    record(team=team, by=None, action="payment.changed", subject=row.stripe_id, details=details, at=at)
    changed = [f"payment {row.stripe_id}: {row.status}"]
    purchase = CreditPurchase.objects.filter(payment_id=row.stripe_id).select_related("lot").first()
    if purchase is not None and purchase.lot is not None:
        changed += _follow(purchase, purchase.lot, row, at)
    _tell(row, before[1], before[2], purchase, at)
    return changed


def _tell(
    row: Payment, refunded_before: int, dispute_before: str, purchase: CreditPurchase | None, at: datetime
) -> None:
    """What was paid back, and how a dispute stands, and what that means for the Credits that were bought."""
    lot = CreditGrant.objects.filter(purchase=purchase).first() if purchase else None
    about: dict[str, str | int] = {
        "of": usd_text(row.received_nanousd),
        "paid_on": date_format(row.created_at, "j F Y"),
        "lot": lot.pk if lot else "",
        "left": credits_words(lot.remaining_nanousd) if lot else "",
    }
    if row.refunded_nanousd > refunded_before:
        about |= {
            "amount": usd_text(row.refunded_nanousd - refunded_before),
            "in_all": usd_text(row.refunded_nanousd),
        }
        key = f"refunded:{row.stripe_id}:{row.refunded_nanousd}"
        tell_owner(team=row.team, kind="refunded", key=key, at=at, **about)
    if row.dispute and row.dispute != dispute_before:
        key = f"payment_disputed:{row.stripe_id}:{row.dispute}"
        tell_owner(team=row.team, kind="payment_disputed", key=key, at=at, state=row.dispute, **about)


@one_transaction()
def follow_payment(*, purchase: CreditPurchase, at: datetime) -> list[str]:
    """The lot follows what is known of its payment already: both may become known in any order."""
    lock_kept_team(purchase.team)
    purchase = CreditPurchase.objects.select_related("lot").get(pk=purchase.pk)
    row = Payment.objects.filter(stripe_id=purchase.payment_id).first() if purchase.payment_id else None
    if row is None or purchase.lot is None:
        return []
    return _follow(purchase, purchase.lot, row, at)


def _follow(purchase: CreditPurchase, lot: CreditGrant, payment: Payment, at: datetime) -> list[str]:
    """What was paid back takes that share of the lot, as far as it is unused; a dispute freezes the lot,
    and a lost one takes all that is left. A refund that failed gives back what it took.
    """
    changed = []
    disputed, decided = payment.dispute == Dispute.OPEN, payment.dispute in (Dispute.WON, Dispute.LOST)
    if (disputed and lot.frozen_at is None) or (decided and lot.frozen_at is not None):
        lot = credits.freeze_lot(lot=lot, frozen=disputed, at=at, by=None)
        changed.append(f"lot {lot.pk} is {'frozen' if disputed else 'free again'}")
    owed, owed_before = owed_of(purchase, payment), purchase.clawed_nanousd
    if owed == owed_before:
        return changed
    lot = CreditGrant.objects.select_for_update(no_key=True).get(pk=lot.pk)
    cause = f"payment {payment.stripe_id} "
    if owed > owed_before:
        gained, kind = -min(owed - owed_before, lot.remaining_nanousd), CreditLedgerEntry.Kind.REFUND
        why = "lost in a dispute" if payment.dispute == Dispute.LOST else "paid back"
    else:
        entries = CreditLedgerEntry.objects.filter(grant=lot, cause__startswith=cause)
        taken = -(entries.aggregate(sum=Sum("amount_nanousd"))["sum"] or 0)
        gained, kind = max(taken - owed, 0), CreditLedgerEntry.Kind.ADJUSTMENT
        why = "was not paid back after all"
    if gained:
        credits.adjust_lot(lot=lot, nanousd=gained, kind=kind, cause=cause + why, at=at, by=None)
    purchase.clawed_nanousd = owed
    purchase.save(update_fields=["clawed_nanousd"])
    return [*changed, f"lot {lot.pk} changes by {gained} nano-dollars: {cause}{why}"]


@one_transaction()
def adopt_purchase(*, team: Team, id: str, credits_nanousd: int, at: datetime) -> CreditPurchase:
    """The purchase that a payment names and we have lost, as after a restored backup."""
    lock_team(team)
    return CreditPurchase.objects.get_or_create(
        pk=id,
        defaults={
            "team": team,
            "kind": CreditPurchase.Kind.PACK,
            "amount_nanousd": credits_nanousd,
            "created_at": at,
        },
    )[0]


@one_transaction()
def note_invoice(*, purchase: CreditPurchase, invoice_id: str) -> None:
    """The purchase is billed by this invoice."""
    CreditPurchase.objects.filter(pk=purchase.pk, invoice_id="").update(invoice_id=invoice_id)
