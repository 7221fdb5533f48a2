"""Creating, renaming and leaving a Team."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from teams.forms import TeamNameForm
from teams.permissions import Right
from teams.services.memberships import end_membership
from teams.services.teams import create_team, rename_team
from teams.views.base import PersonRequest, TeamRequest, person_page, show, team_page
from tokenplan.kit.pages import attempt, attempt_form


@person_page
def new(request: PersonRequest) -> HttpResponse:
    """Creates a regular Team with the person as its Owner."""
    form = TeamNameForm(request.POST or None)
    if request.method == "POST":
        created = attempt_form(
            form,
            lambda: create_team(name=form.cleaned_data["name"], by=request.user, at=timezone.now()),
        )
        if created:
            return redirect("team", created.value.team.slug)
    return render(request, "teams/team_new.html", {"form": form}, status=422 if form.errors else 200)


@team_page(get=Right.RENAME, post=Right.RENAME)
def settings(request: TeamRequest) -> HttpResponse:
    """Renames the Team; the page also has the button that deletes it."""
    form = TeamNameForm(request.POST or None, initial={"name": request.team.display_name})
    if request.method == "POST" and attempt_form(
        form,
        lambda: rename_team(
            team=request.team, name=form.cleaned_data["name"], by=request.user, at=timezone.now()
        ),
    ):
        messages.success(request, _("The Team is renamed. Links to it keep working."))
        return redirect("team-settings", request.team.slug)
    return show(request, "teams/settings.html", {"form": form}, status=422 if form.errors else 200)


@team_page(post=Right.USE)
def leave(request: TeamRequest) -> HttpResponse:
    """The person's membership ends."""
    if attempt(
        request,
        lambda: end_membership(membership=request.membership, by=request.user, at=timezone.now()),
        _("You left %(team)s. Your key for it stopped working.") % {"team": request.team.display_name},
    ):
        return redirect("account")
    return redirect("team", request.team.slug)
