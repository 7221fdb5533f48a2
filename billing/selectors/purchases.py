"""A Team's purchases of Credits, or of API balance, as its Owner sees them."""

from __future__ import annotations

from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from billing.models import CreditPurchase, Invoice, Payment
from quota.models import Account
from teams.models import Team
from tokenplan.kit.reach import between


def purchases_of(team: Team, account: Account = Account.CREDITS) -> QuerySet[CreditPurchase]:
    """Each with its checkout session, its lot, and what invoice and payment say of it: `invoice_number`,
    `invoice_url`, `total_nanousd` (what was billed, after promotions and with tax), `refunded_nanousd`,
    `dispute`.
    """
    invoice = Invoice.objects.for_team(team).filter(stripe_id=OuterRef("invoice_id"))
    payment = Payment.objects.for_team(team).filter(stripe_id=OuterRef("payment_id"))
    return (
        CreditPurchase.objects.for_team(team)
        .filter(account=account)
        .select_related("checkout", "lot")
        .annotate(
            invoice_number=Subquery(invoice.values("number")[:1]),
            invoice_url=Subquery(invoice.values("url")[:1]),
            total_nanousd=Subquery(invoice.values("total_nanousd")[:1]),
            refunded_nanousd=Subquery(payment.values("refunded_nanousd")[:1]),
            dispute=Subquery(payment.values("dispute")[:1]),
        )
    )


def purchases_found(
    team: Team,
    account: Account,
    *,
    state: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[CreditPurchase]:
    """Those of `purchases_of` in this state, from `since` and before `until`; left out, in any."""
    found = purchases_of(team, account)
    if state:
        found = found.filter(state=state)
    return between(found, "created_at", since, until)
