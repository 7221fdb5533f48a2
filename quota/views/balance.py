"""A Team's API balance: what is left, its lots and its ledger, and when to warn."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.forms import BalanceAlertForm
from quota.models import Account, CreditGrant
from quota.selectors.balance import api_balance, is_low
from quota.selectors.credits import first_lots, team_credits
from quota.services.balance import set_balance_alert
from quota.views.ledger import ledger_of
from teams.permissions import Right
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.pages import attempt_form


@team_page(get=Right.VIEW_CREDITS)
def overview(request: TeamRequest) -> HttpResponse:
    """The balance, its lots in the order of drawing, and the ledger, newest first."""
    at = timezone.now()
    rules = team_credits(request.team.pk)
    balance = api_balance(request.team, at)
    lots = CreditGrant.objects.for_team(request.team).api_balance()
    context = {
        "balance": balance,
        "rules": rules,
        "is_low": is_low(request.team, balance, rules),
        "lots": first_lots(lots, at),
        **ledger_of(request, Account.BALANCE),
    }
    return show(request, "quota/balance.html", context)


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def alert(request: TeamRequest) -> HttpResponse:
    """Whether Owner and Admins are warned of a low balance, and below which."""
    rules = team_credits(request.team.pk)
    initial = {
        "enabled": rules.warns_of_balance,
        "low_balance_nanousd": BalanceAlertForm.plain(rules.low_api_balance_nanousd),
    }
    form = BalanceAlertForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and attempt_form(
        form,
        lambda: set_balance_alert(team=request.team, at=timezone.now(), by=request.user, **form.cleaned_data),
    ):
        messages.success(request, _("The warning is saved."))
        return redirect("team-balance", request.team.slug)
    return show(request, "quota/balance_alert.html", {"form": form}, status=422 if form.errors else 200)
