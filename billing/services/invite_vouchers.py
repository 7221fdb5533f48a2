"""Vouchers of the invite campaign: a share of what an invited Team really paid for seats, in the API balance
of the inviter's Default Team. Each follows its invoice's payment, as a lot that was bought does.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.models import InvitedTeam, InviteVoucher, Invoice, Payment
from billing.money import share_of_payment
from billing.selectors.invites import counts, paid_with_a_card_of
from billing.services.notifications import notify_owner
from billing.services.refunds import follow_payment
from quota.services.balance import give_voucher
from teams.models import Team
from teams.services.locks import lock_kept_team
from tokenplan.kit.transactions import one_transaction

Dispute = Payment.Dispute


@one_transaction()
def keep_voucher(*, invoice: Invoice, at: datetime) -> list[str]:
    """The voucher of this invoice is as our rows of the invoice and its payment say, whichever was heard of
    first: given once, when both are paid, for what was not refunded by then; later it loses the share of what
    is refunded or lost in a dispute, as far as it is unspent. Returns what changed, a line each.
    """
    lock_kept_team(invoice.team)
    invoice = Invoice.objects.select_related("team").get(pk=invoice.pk)
    payment = Payment.objects.filter(team=invoice.team, stripe_id=invoice.payment_id).first()
    if not invoice.payment_id or not invoice.subscription_id or payment is None:
        return []
    rows = InviteVoucher.objects.select_related("lot", "invitee__campaign")
    voucher = rows.filter(invoice=invoice).first()
    if voucher is None:
        return _give(invoice, payment, at)
    worth = _worth(invoice, payment, voucher.invitee.campaign.voucher_hundredths)
    owed = max(voucher.amount_nanousd - worth, 0)
    return follow_payment(granted=voucher, payment=payment, owed=owed, at=at)


def _worth(invoice: Invoice, payment: Payment, hundredths: int) -> int:
    """The share of what was paid and not given back, without tax, in whole cents; nano-dollars."""
    lost = payment.dispute == Dispute.LOST
    return share_of_payment(
        0 if lost else payment.left_nanousd,
        total_nanousd=invoice.total_nanousd,
        tax_nanousd=invoice.tax_nanousd,
        hundredths=hundredths,
    )


def _give(invoice: Invoice, payment: Payment, at: datetime) -> list[str]:
    """None while the payment is disputed: it is asked again when that is decided."""
    known = InvitedTeam.objects.filter(team=invoice.team).select_related("invitee__campaign").first()
    if known is None or not counts(known.invitee, invoice.team, invoice.created_at):
        return []
    if invoice.status != "paid" or payment.status != "succeeded" or payment.dispute == Dispute.OPEN:
        return []
    invitee, campaign = known.invitee, known.invitee.campaign
    if paid_with_a_card_of(invitee.inviter, payment):
        return []
    nanousd = _worth(invoice, payment, campaign.voucher_hundredths)
    inviters = Team.objects.filter(default_for=invitee.inviter_id).first()
    if nanousd == 0 or inviters is None:
        return []
    with override(settings.LANGUAGE_CODE):  # it is stored
        reason = _("Somebody came by your invite link and paid")
    lot = give_voucher(
        team=inviters,
        nanousd=nanousd,
        expires_at=at + timedelta(days=campaign.voucher_days),
        source=f"invite {invoice.stripe_id}",
        reason=reason,
        at=at,
        by=None,
    )
    InviteVoucher.objects.create(
        invoice=invoice, invitee=invitee, lot=lot, amount_nanousd=nanousd, created_at=at
    )
    notify_owner(
        team=inviters,
        kind="invite_voucher",
        dedupe_key=f"invite_voucher:{invoice.stripe_id}",
        at=at,
        amount=nanousd,
        until=(at + timedelta(days=campaign.voucher_days)).isoformat(),
    )
    return [f"voucher of {nanousd} nano-dollars for the invoice {invoice}: lot {lot.pk} of {inviters}"]
