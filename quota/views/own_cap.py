"""The member's own cap on the Team's Credits, below what the Owner and the Admins allow."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.forms import OwnCapForm
from quota.selectors.credits import credit_access
from quota.services.credits import set_own_cap
from teams.permissions import Right
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.pages import attempt_form


@team_page(get=Right.USE, post=Right.USE)
def own_cap(request: TeamRequest) -> HttpResponse:
    """Whether Credits are used without asking the member, and up to how much a month."""
    access = credit_access(request.membership)
    form = OwnCapForm(
        request.POST if request.method == "POST" else None,
        initial=OwnCapForm.initial_of(access.own_month_cap_nanousd),
    )
    if request.method == "POST" and attempt_form(
        form,
        lambda: set_own_cap(
            membership=request.membership,
            month_cap_nanousd=form.cleaned_data["month_cap"],
            at=timezone.now(),
            by=request.user,
        ),
    ):
        messages.success(
            request,
            _("Your own limit on Credits in %(team)s is saved.") % {"team": request.team.display_name},
        )
        return redirect("account")
    context = {"form": form, "access": access}
    return show(request, "quota/own_cap.html", context, status=422 if form.errors else 200)
