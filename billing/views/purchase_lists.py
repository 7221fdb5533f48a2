"""What a Team has bought of Credits, and paid into its API balance: a page of each, and a file."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from billing.forms import PurchasesFilterForm
from billing.models import Checkout, CreditPurchase, Payment
from billing.selectors.purchases import purchases_found
from billing.stored_texts import in_readers_words
from quota.api.csv_cells import credits_cell, usd_cell
from quota.models import Account
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from tokenplan.kit.csv_answers import csv_file, moment_cell
from tokenplan.kit.pages import page_of
from tokenplan.kit.transactions import streamed

PURCHASES_PAGE = 25


@team_page(get=Right.MANAGE_BILLING)
def of_credits(request: TeamRequest) -> HttpResponse:
    """Purchases of Credits, the latest first, with their invoices."""
    return _page(request, Account.CREDITS, "billing/credits_purchases.html")


@team_page(get=Right.MANAGE_BILLING)
def of_balance(request: TeamRequest) -> HttpResponse:
    """Payments into the API balance, in the same way."""
    return _page(request, Account.BALANCE, "billing/balance_purchases.html")


@team_page(get=Right.MANAGE_BILLING)  # type: ignore[arg-type]  # an answer that is streamed is one too
def of_credits_csv(request: TeamRequest) -> HttpResponseBase:
    """All purchases of Credits that are asked for, for a spreadsheet."""
    return _csv(request, Account.CREDITS, f"purchases-{request.team.slug}.csv")


@team_page(get=Right.MANAGE_BILLING)  # type: ignore[arg-type]
def of_balance_csv(request: TeamRequest) -> HttpResponseBase:
    """The same of the API balance."""
    return _csv(request, Account.BALANCE, f"payments-into-api-balance-{request.team.slug}.csv")


def _asked(request: TeamRequest, account: Account) -> tuple[PurchasesFilterForm, QuerySet[CreditPurchase]]:
    """The form, and what it asks for; a field that cannot be read asks for nothing."""
    form = PurchasesFilterForm(request.GET)
    form.is_valid()
    since, until = form.moments()
    state = form.cleaned_data.get("state", "")
    return form, purchases_found(request.team, account, state=state, since=since, until=until)


def _page(request: TeamRequest, account: Account, template: str) -> HttpResponse:
    form, found = _asked(request, account)
    page = page_of(found, request, moment="created_at", size=PURCHASES_PAGE)
    return show_fresh(request, template, {"page": page, "form": form})


def _csv(request: TeamRequest, account: Account, name: str) -> HttpResponseBase:
    found = _asked(request, account)[1].order_by("-created_at", "-pk")
    bought = _("Credits") if account is Account.CREDITS else _("Amount (USD)")
    heading = [_("When (UTC)"), bought, _("Billed (USD)"), _("State"), _("Refunded (USD)"), _("Dispute")]
    heading += [_("Reason"), _("How"), _("Lot"), _("Expires (UTC)"), _("Frozen (UTC)"), _("Invoice")]
    return csv_file(name, heading, map(_line, streamed(found)))


def _line(purchase: Any) -> list[object]:
    """Of a purchase as `purchases_of` has it; what is not billed yet costs its amount, as on the page."""
    amount, total, lot = purchase.amount_nanousd, purchase.total_nanousd, purchase.lot
    return [
        moment_cell(purchase.created_at),
        credits_cell(amount) if purchase.account == Account.CREDITS else usd_cell(amount),
        usd_cell(amount if total is None else total),
        _state(purchase),
        usd_cell(purchase.refunded_nanousd),
        str(Payment.Dispute(purchase.dispute).label) if purchase.dispute else "",
        in_readers_words(purchase.reason),
        purchase.get_kind_display(),
        lot.pk if lot else "",
        moment_cell(lot.expires_at if lot else None),
        moment_cell(lot.frozen_at if lot else None),
        purchase.invoice_number or "",
    ]


def _state(purchase: CreditPurchase) -> str:
    waits, checkout = purchase.state == CreditPurchase.State.WAITING, purchase.checkout
    if waits and checkout and checkout.state == Checkout.State.PROCESSING:
        return _("Payment in progress")
    return purchase.get_state_display()
