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

from billing.forms import AutoTopUpForm
from billing.selectors.top_ups import TopUpState, top_up_state
from billing.services.top_ups import set_auto_top_up
from quota.money import credits_text
from quota.selectors.credits import team_balance
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from tokenplan.kit.pages import attempt_form


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def auto_top_up(request: TeamRequest) -> HttpResponse:
    """The settings, what was bought by them this month, and what failed."""
    at = timezone.now()
    state = top_up_state(request.team, at)
    form = AutoTopUpForm(request.POST if request.method == "POST" else None, initial=_initial(state))
    if request.method == "POST" and attempt_form(form, lambda: _set(request, form.cleaned_data, at)):
        on, off = _("Auto top-up is on, as you set it."), _("Auto top-up is off, as you set it.")
        messages.success(request, on if form.cleaned_data["enabled"] else off)
        return redirect("team-credits-auto-top-up", request.team.slug)
    context = {"form": form, "state": state, "balance": team_balance(request.team.pk, at)}
    return show_fresh(
        request, "billing/credits_auto_top_up.html", context, status=422 if form.errors else 200
    )


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
    """The amounts as a person types them, without trailing zeros."""
    order = state.order
    amounts = {
        "threshold": order.threshold_nanousd,
        "target": order.target_nanousd,
        "month_cap": order.month_cap_nanousd,
    }
    plain = {name: credits_text(amount).rstrip("0").rstrip(".") for name, amount in amounts.items()}
    return {"enabled": order.enabled, **plain}
