"""Buying Credits: packs, auto top-up, and what was bought. The pool itself is a page of the floor below."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from billing.forms import AutoTopUpForm, BuyCreditsForm
from billing.models import Checkout
from billing.money import CREDITS_PER_PACK, MAX_PACKS, NANOUSD_PER_PACK
from billing.selectors.purchases import purchases_of
from billing.selectors.top_ups import TopUpState, top_up_state
from billing.services.checkouts import open_checkout
from billing.services.top_ups import set_auto_top_up
from billing.views.base import show_fresh
from billing.workflows.buying import buy_credits, packs_of
from quota.money import credits_text
from quota.selectors.credits import team_balance
from quota.services.credits import LOT_LIFETIME
from teams.permissions import Right
from teams.views.base import TeamRequest, team_page
from tokenplan.kit.pages import attempt_form, page_of

# $5, $25 and $100 (product.md, Credits).
PACKS = (1, 5, 20)
PURCHASES_PAGE = 25


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def buy(request: TeamRequest) -> HttpResponse:
    """Packs with their exact price; choosing one leads to the payment page."""
    at = timezone.now()
    form = BuyCreditsForm(request.POST if request.method == "POST" else None)
    begun: list[Checkout] = []
    if request.method == "POST" and attempt_form(
        form,
        lambda: begun.append(
            buy_credits(
                team=request.team, packs=packs_of(form.cleaned_data["credits"]), at=at, by=request.user
            )
        ),
    ):
        return redirect(begun[0].url)
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


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def auto_top_up(request: TeamRequest) -> HttpResponse:
    """The standing order, what it spent, and what went wrong."""
    at = timezone.now()
    state = top_up_state(request.team, at)
    form = AutoTopUpForm(request.POST if request.method == "POST" else None, initial=_initial(state))
    if request.method == "POST" and attempt_form(form, lambda: _set(request, form.cleaned_data, at)):
        on = form.cleaned_data["enabled"]
        messages.success(request, f"Auto top-up is {'on' if on else 'off'}, as you set it.")
        return redirect("team-credits-auto-top-up", request.team.slug)
    context = {"form": form, "state": state, "balance": team_balance(request.team.pk, at)}
    return show_fresh(
        request, "billing/credits_auto_top_up.html", context, status=422 if form.errors else 200
    )


@team_page(get=Right.MANAGE_BILLING)
def purchases(request: TeamRequest) -> HttpResponse:
    """Every purchase of Credits, the latest first, with its invoice."""
    page = page_of(purchases_of(request.team), request, moment="created_at", size=PURCHASES_PAGE)
    return show_fresh(request, "billing/credits_purchases.html", {"page": page})


def _set(request: TeamRequest, values: Mapping[str, Any], at: datetime) -> None:
    set_auto_top_up(
        team=request.team,
        enabled=values["enabled"],
        threshold_nanousd=values["threshold"],
        target_nanousd=values["target"],
        month_cap_nanousd=values["month_cap"],
        at=at,
        by=request.user,
    )


def _initial(state: TopUpState) -> dict[str, object]:
    """As a person would type it: no zeros behind."""
    order = state.order
    amounts = {
        "threshold": order.threshold_nanousd,
        "target": order.target_nanousd,
        "month_cap": order.month_cap_nanousd,
    }
    plain = {name: credits_text(amount).rstrip("0").rstrip(".") for name, amount in amounts.items()}
    return {"enabled": order.enabled, **plain}
