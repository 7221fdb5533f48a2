"""Inviting people by e-mail: the Team's open invitations."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from teams.errors import NotFound
from teams.forms import InvitationForm
from teams.models import Invitation
from teams.permissions import Right
from teams.ring import ring
from teams.services import invitations as service
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, attempt, attempt_form, show, team_page


@team_page(get=Right.INVITE, post=Right.INVITE)
def invitations(request: TeamRequest) -> HttpResponse:
    """Those that wait for an answer, and a form for one more."""
    at = timezone.now()
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and attempt_form(
        form,
        lambda: service.invite(
            team=request.team,
            email=form.cleaned_data["email"],
            role=form.cleaned_data["role"],
            by=request.user,
            at=at,
        ),
    ):
        ring(deliver_mail)
        messages.success(request, f"{form.cleaned_data['email']} is invited.")
        return redirect("team-invitations", request.team.slug)
    waiting = Invitation.objects.for_team(request.team).open().select_related("invited_by")
    context = {"form": form, "invitations": waiting.order_by("-sent_at", "pk"), "now": at}
    return show(request, "teams/invitations.html", context, status=422 if form.errors else 200)


@team_page(post=Right.INVITE)
def resend(request: TeamRequest, pk: UUID) -> HttpResponse:
    """A new mail with a new link."""
    invitation = _of_team(request, pk)
    done = f"The invitation of {invitation.email} was sent again. The link sent before no longer works."
    if attempt(
        request, lambda: service.resend(invitation=invitation, by=request.user, at=timezone.now()), done
    ):
        ring(deliver_mail)
    return redirect("team-invitations", request.team.slug)


@team_page(post=Right.INVITE)
def revoke(request: TeamRequest, pk: UUID) -> HttpResponse:
    """The link stops working."""
    invitation = _of_team(request, pk)
    done = f"The invitation of {invitation.email} is revoked."
    attempt(request, lambda: service.revoke(invitation=invitation, by=request.user, at=timezone.now()), done)
    return redirect("team-invitations", request.team.slug)


def _of_team(request: TeamRequest, pk: UUID) -> Invitation:
    invitation = Invitation.objects.for_team(request.team).filter(pk=pk).first()
    if invitation is None:
        raise NotFound("This invitation does not exist.")
    return invitation
