"""Purchases of Credits and of API balance: the lot is granted once, when the payment has come. What takes it
back: `refunds`.
"""

from __future__ import annotations

from datetime import datetime

from billing.models import CreditPurchase
from billing.services.top_ups import forget_failures_of_paid_top_up
from quota.models import Account
from quota.services import balance, credits
from teams.models import Team
from teams.services.locks import lock_team
from tokenplan.kit.transactions import one_transaction

State = CreditPurchase.State
# Stored in the ledger for good, in one language.
CAUSES = {CreditPurchase.Kind.PACK: "Bought", CreditPurchase.Kind.TOP_UP: "Auto top-up"}
GRANTS = {Account.CREDITS: credits.grant_credits, Account.BALANCE: balance.add_to_balance}


@one_transaction()
def grant_purchase(*, purchase: CreditPurchase, payment_id: str, invoice_id: str, at: datetime) -> list[str]:
    """The purchase is paid: its lot is granted, once. Credits expire 365 days after that, API balance never.

    `payment_id` is empty where a promotion left nothing to pay. A purchase that was given up and paid after
    all is granted too, since the money has come. Returns what changed, one line.
    """
    lock_team(purchase.team)
    purchase.refresh_from_db()
    if purchase.state == State.PAID:
        # Payment and invoice come in any order, and each may name only itself.
        purchase.payment_id = purchase.payment_id or payment_id
        purchase.invoice_id = purchase.invoice_id or invoice_id
        purchase.save(update_fields=["payment_id", "invoice_id"])
        return []
    grant = GRANTS[Account(purchase.account)]
    lot = grant(
        team=purchase.team,
        nanousd=purchase.amount_nanousd,
        source=f"purchase:{purchase.pk}",
        cause=CAUSES[CreditPurchase.Kind(purchase.kind)],
        at=at,
        by=None,
    )
    purchase.state, purchase.lot, purchase.reason, purchase.closed_at = State.PAID, lot, "", at
    purchase.payment_id = payment_id
    purchase.invoice_id = invoice_id or purchase.invoice_id
    purchase.save()
    if purchase.kind == CreditPurchase.Kind.TOP_UP:
        forget_failures_of_paid_top_up(purchase=purchase, at=at)
    return [f"purchase {purchase.pk}: lot {lot.pk} is granted"]


@one_transaction()
def restore_purchase(*, team: Team, id: str, account: Account, nanousd: int, at: datetime) -> CreditPurchase:
    """Makes again a purchase that a payment names and we have lost, as after restoring a backup."""
    lock_team(team)
    return CreditPurchase.objects.get_or_create(
        pk=id,
        defaults={
            "team": team,
            "kind": CreditPurchase.Kind.PACK,
            "account": account,
            "amount_nanousd": nanousd,
            "created_at": at,
        },
    )[0]


@one_transaction()
def set_invoice_id(*, purchase: CreditPurchase, invoice_id: str) -> None:
    """The purchase is billed by this invoice."""
    CreditPurchase.objects.filter(pk=purchase.pk, invoice_id="").update(invoice_id=invoice_id)
