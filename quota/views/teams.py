"""A Team's own pages: overview, settings, creating one, joining one."""

from __future__ import annotations

from datetime import timedelta

from allauth.account.models import EmailAddress
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from quota.models import SeatRequest
from quota.selectors.credits import team_balance
from quota.selectors.roster import roster
from quota.selectors.seats import seats_of
from quota.selectors.usage_bar import usage_bar
from quota.selectors.usage_series import usage_by
from quota.services import members
from teams.errors import InvitationNotUsable
from teams.forms import TeamNameForm
from teams.models import Invitation, Membership, User
from teams.permissions import Right, may
from teams.services import invitations, teams
from teams.views.base import (
    PersonRequest,
    TeamRequest,
    attempt,
    attempt_form,
    person_page,
    show,
    team_page,
)

# Usage may be reported a little ahead of the clock.
AHEAD = timedelta(days=1)


@team_page(get=Right.VIEW_TEAM)
def overview(request: TeamRequest) -> HttpResponse:
    """One's own bar, and for managers the Team in figures."""
    at = timezone.now()
    context: dict[str, object] = {"bar": usage_bar(request.membership, at), "now": at}
    if may(request.membership, Right.VIEW_USAGE):
        month = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        context |= {
            "members": len(roster(request.team, at)),
            "seats": seats_of(request.team, at),
            "balance": team_balance(request.team.pk, at),
            "month": usage_by(request.team, month, at + AHEAD)[0].amounts,
            "open_requests": SeatRequest.objects.for_team(request.team).open().count(),
            "open_invitations": Invitation.objects.for_team(request.team).open().count(),
        }
    return show(request, "quota/team.html", context)


@team_page(get=Right.RENAME, post=Right.RENAME)
def settings(request: TeamRequest) -> HttpResponse:
    """The Team's name, and the way to delete it."""
    form = TeamNameForm(request.POST or None, initial={"name": request.team.name})
    if request.method == "POST" and attempt_form(
        form,
        lambda: teams.rename(
            team=request.team, name=form.cleaned_data["name"], by=request.user, at=timezone.now()
        ),
    ):
        messages.success(request, "The Team has its new name. Links to it keep working.")
        return redirect("team-settings", request.team.slug)
    return show(request, "quota/settings.html", {"form": form}, status=422 if form.errors else 200)


@person_page
def new(request: PersonRequest) -> HttpResponse:
    """A regular Team that the person owns."""
    form = TeamNameForm(request.POST or None)
    made: list[Membership] = []
    if request.method == "POST" and attempt_form(
        form,
        lambda: made.append(
            members.create_team(name=form.cleaned_data["name"], by=request.user, at=timezone.now())
        ),
    ):
        return redirect("team", made[0].team.slug)
    return render(request, "quota/team_new.html", {"form": form}, status=422 if form.errors else 200)


def join(request: HttpRequest, token: str) -> HttpResponse:
    """What an invitation's link opens: who invites where, and a button to accept for whom it is meant."""
    at = timezone.now()
    try:
        invitation = invitations.look_up(token=token, at=at)
    except InvitationNotUsable:
        return render(request, "quota/join.html", {"invitation": None}, status=410)
    user = request.user
    if isinstance(user, User) and request.method == "POST":
        joined: list[Membership] = []
        if attempt(
            request,
            lambda: joined.append(members.accept_invitation(token=token, by=user, at=at)),
            f"You are now a member of {invitation.team.name}.",
        ):
            return redirect("team", joined[0].team.slug)
        return redirect("join", token)
    is_for_me = isinstance(user, User) and (
        EmailAddress.objects.filter(user=user, verified=True, email__iexact=invitation.email).exists()
    )
    return render(request, "quota/join.html", {"invitation": invitation, "is_for_me": is_for_me})
