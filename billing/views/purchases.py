"""Buying packs of Credits, and what was bought. The pool itself is a page of `quota`."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from billing.forms import BuyCreditsForm
from billing.models import Checkout
from billing.money import CREDITS_PER_PACK, MAX_PACKS, NANOUSD_PER_PACK
from billing.selectors.checkouts import open_checkout
from billing.selectors.purchases import purchases_of
from billing.workflows.checkouts import buy_credits, packs_of
from quota.selectors.credits import team_balance
from quota.services.credits import LOT_LIFETIME
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from tokenplan.kit.pages import attempt_form, page_of

# $5, $25 and $100 (docs/rules.md, Credits).
PACKS = (1, 5, 20)
PURCHASES_PAGE = 25


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def buy(request: TeamRequest) -> HttpResponse:
    """Packs with their exact price; choosing one leads to the payment page."""
    at = timezone.now()
    form = BuyCreditsForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        begun = attempt_form(
            form,
            lambda: buy_credits(
                team=request.team, packs=packs_of(form.cleaned_data["credits"]), at=at, by=request.user
            ),
        )
        if begun:
            return redirect(begun.value.url)
    context = {
        "form": form,
        "packs": [(packs * CREDITS_PER_PACK, packs * NANOUSD_PER_PACK) for packs in PACKS],
        "least": CREDITS_PER_PACK,
        "least_nanousd": NANOUSD_PER_PACK,
        "most": MAX_PACKS * CREDITS_PER_PACK,
        "expires_at": at + LOT_LIFETIME,
        "lifetime_days": LOT_LIFETIME // timedelta(days=1),
        "balance": team_balance(request.team.pk, at),
        "open_checkout": open_checkout(request.team, Checkout.Kind.CREDITS),
    }
    return show_fresh(request, "billing/credits_buy.html", context, status=422 if form.errors else 200)


@team_page(get=Right.MANAGE_BILLING)
def purchases(request: TeamRequest) -> HttpResponse:
    """Every purchase of Credits, the latest first, with its invoice."""
    page = page_of(purchases_of(request.team), request, moment="created_at", size=PURCHASES_PAGE)
    return show_fresh(request, "billing/credits_purchases.html", {"page": page})
