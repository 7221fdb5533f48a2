"""A payment, and the purchase of Credits that it pays for."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from billing import stripe_api
from billing.fetch import Fetched, fetch
from billing.models import CreditPurchase, Invoice, Payment
from billing.money import PACKS
from billing.services import purchases
from billing.services.invite_vouchers import keep_voucher
from billing.services.payments import apply_payment
from billing.services.refunds import fail_refund, take_back_credits
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.stripe_api.snapshots import PaymentSnapshot
from billing.sync.customers import team_of
from billing.sync.seats_taken_back import take_back_seats
from quota.models import Account
from teams.models import Team


def sync_payment(id: str, at: datetime) -> list[str]:
    return apply_fetched_payment(fetch(lambda: stripe_api.payment(id)), at)


def sync_refund(id: str, at: datetime) -> list[str]:
    """The payment that it pays back, and what becomes of it where it fails later."""
    snapshot = stripe_api.refund_made(id)
    changed = sync_payment(snapshot.payment_id, at) if snapshot.payment_id else []
    payment = Payment.objects.select_related("team").filter(stripe_id=snapshot.payment_id).first()
    if payment is not None and snapshot.failure:
        changed += fail_refund(payment=payment, snapshot=snapshot, at=at)
    return changed


def apply_fetched_payment(fetched: Fetched[PaymentSnapshot], at: datetime) -> list[str]:
    """Our mirror, and the Credits that it pays for."""
    snapshot = fetched.value
    known = Payment.objects.select_related("team").filter(stripe_id=snapshot.id).first()
    team = team_of(known, snapshot.customer_id, at)
    if team is None:
        return []
    changed = apply_payment(team=team, fetched=fetched, at=at)
    changed += keep_vouchers(Invoice.objects.for_team(team).filter(payment_id=snapshot.id), at)
    changed += take_back_seats(team, snapshot.id, at)
    if snapshot.purchase_id and snapshot.status == "succeeded":
        # One that we have lost is made again by its invoice: the payment says what was paid, not what for.
        purchase = known_purchase(team, snapshot.purchase_id)
        if purchase is not None:
            changed += purchases.grant_purchase(
                purchase=purchase, payment_id=snapshot.id, invoice_id="", at=at
            )
            changed += take_back_credits(purchase=purchase, at=at)
    return changed


def keep_vouchers(bills: QuerySet[Invoice], at: datetime) -> list[str]:
    """What the inviter has of these invoices follows them and their payments."""
    return [
        line
        for bill in bills.exclude(subscription_id="").select_related("team")
        for line in keep_voucher(invoice=bill, at=at)
    ]


def named_purchase(team: Team, bill: InvoiceSnapshot, at: datetime) -> CreditPurchase | None:
    """The Team's purchase that an invoice names. One that we have lost is made again, if it was whole packs:
    its subtotal is what they cost before a promotion and tax.
    """
    id, worth = bill.purchase_id, bill.subtotal_nanousd
    found = known_purchase(team, id)
    if found is not None or not is_uuid(id) or bill.account not in PACKS:
        return found
    pack = PACKS[bill.account]
    is_sold = worth >= pack.least_nanousd and worth % pack.nanousd == 0
    if not is_sold or CreditPurchase.objects.filter(pk=id).exists():
        return None
    return purchases.restore_purchase(team=team, id=id, account=Account(bill.account), nanousd=worth, at=at)


def known_purchase(team: Team, id: str) -> CreditPurchase | None:
    if not is_uuid(id):
        return None
    return CreditPurchase.objects.select_related("team").filter(team=team, pk=id).first()


def is_uuid(text: str) -> bool:
    """Metadata may be anybody's."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
