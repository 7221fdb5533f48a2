"""Auto top-up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.forms import AutoTopUpForm, BalanceAutoTopUpForm
from billing.selectors.top_ups import TopUpState, top_up_state
from billing.services.top_ups import set_auto_top_up
from quota.models import Account
from quota.selectors.balance import account_balance
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from tokenplan.kit.pages import attempt_form

FORMS = {Account.CREDITS: AutoTopUpForm, Account.BALANCE: BalanceAutoTopUpForm}


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def auto_top_up(request: TeamRequest) -> HttpResponse:
    """Of Credits: the settings, what was bought by them this month, and what failed."""
    return _page(request, Account.CREDITS)


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def balance_auto_top_up(request: TeamRequest) -> HttpResponse:
    """The same of the API balance."""
    return _page(request, Account.BALANCE)


def _page(request: TeamRequest, account: Account) -> HttpResponse:
    at = timezone.now()
    state = top_up_state(request.team, at, account)
    form = FORMS[account](request.POST if request.method == "POST" else None, initial=_initial(state))
    if request.method == "POST" and attempt_form(form, lambda: _set(request, account, form.cleaned_data, at)):
        on, off = _("Auto top-up is on, as you set it."), _("Auto top-up is off, as you set it.")
        messages.success(request, on if form.cleaned_data["enabled"] else off)
        return redirect(request.path)
    context = {
        "form": form,
        "state": state,
        "account": account,
        "balance": account_balance(account, request.team.pk, at),
    }
    return show_fresh(
        request, "billing/credits_auto_top_up.html", context, status=422 if form.errors else 200
    )


def _set(request: TeamRequest, account: Account, values: Mapping[str, Any], at: datetime) -> None:
    set_auto_top_up(
        team=request.team,
        account=account,
        enabled=values["enabled"],
        threshold_nanousd=values["threshold"],
        target_nanousd=values["target"],
        month_cap_nanousd=values["month_cap"],
        at=at,
        by=request.user,
    )


def _initial(state: TopUpState) -> dict[str, object]:
    """The amounts as a person types them, without trailing zeros."""
    order = state.order
    amounts = {
        "threshold": order.threshold_nanousd,
        "target": order.target_nanousd,
        "month_cap": order.month_cap_nanousd,
    }
    exact = {name: Account(order.account).exact(amount) for name, amount in amounts.items()}
    plain = {
        name: text.removeprefix("$").replace(",", "").rstrip("0").rstrip(".") for name, text in exact.items()
    }
    return {"enabled": order.enabled, **plain}
