"""Deleting a Team."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.workflows.teams import delete_team
from teams.permissions import Right
from teams.views.base import TeamRequest, team_page
from teams.views.proof import needs_proof
from tokenplan.kit.pages import attempt


@team_page(post=Right.DELETE_TEAM)
@needs_proof("POST")
def delete(request: TeamRequest) -> HttpResponse:
    """Asks for the Team's name, so that nobody deletes the wrong one in passing."""
    if request.POST.get("name", "").strip() != request.team.name:
        messages.error(request, _("Nothing was deleted: type the Team's name exactly as it is."))
    elif attempt(
        request,
        lambda: delete_team(team=request.team, by=request.user, at=timezone.now()),
        _("%(team)s is deleted.") % {"team": request.team.display_name},
    ):
        return redirect("account")
    return redirect("team-settings", request.team.slug)
