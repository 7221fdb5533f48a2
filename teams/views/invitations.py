"""Inviting people by e-mail: the Team's open invitations, and the page that their links open."""

from __future__ import annotations

from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from teams.errors import InvitationNotUsable
from teams.forms import InvitationForm
from teams.models import Invitation, User
from teams.permissions import Right
from teams.services import invitations as service
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import attempt, attempt_form


@team_page(get=Right.INVITE, post=Right.INVITE)
def invitations(request: TeamRequest) -> HttpResponse:
    """The open invitations, and a form for a new one."""
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
        enqueue(deliver_mail)
        messages.success(request, _("%(address)s is invited.") % {"address": form.cleaned_data["email"]})
        return redirect("team-invitations", request.team.slug)
    waiting = Invitation.objects.for_team(request.team).open().select_related("invited_by")
    context = {"form": form, "invitations": waiting.order_by("-sent_at", "pk"), "now": at}
    return show(request, "teams/invitations.html", context, status=422 if form.errors else 200)


@team_page(post=Right.INVITE)
def resend(request: TeamRequest, pk: UUID) -> HttpResponse:
    """A new mail with a new link."""
    invitation = _of_team(request, pk)
    done = _("The invitation of %(address)s was sent again. The earlier link no longer works.")
    if attempt(
        request,
        lambda: service.resend(invitation=invitation, by=request.user, at=timezone.now()),
        done % {"address": invitation.email},
    ):
        enqueue(deliver_mail)
    return redirect("team-invitations", request.team.slug)


@team_page(post=Right.INVITE)
def revoke(request: TeamRequest, pk: UUID) -> HttpResponse:
    """The link stops working."""
    invitation = _of_team(request, pk)
    done = _("The invitation of %(address)s is revoked.") % {"address": invitation.email}
    attempt(request, lambda: service.revoke(invitation=invitation, by=request.user, at=timezone.now()), done)
    return redirect("team-invitations", request.team.slug)


def join(request: HttpRequest, token: str) -> HttpResponse:
    """The page that an invitation's link opens; whoever it was sent to can accept it there."""
    at = timezone.now()
    try:
        invitation = service.find_open(token=token, at=at)
    except InvitationNotUsable:
        return render(request, "teams/join.html", {"invitation": None}, status=410)
    user = request.user
    if isinstance(user, User) and request.method == "POST":
        joined = attempt(
            request,
            lambda: service.accept_invitation(token=token, by=user, at=at),
            _("You are now a member of %(team)s.") % {"team": invitation.team.name},
        )
        return redirect("team", joined.value.team.slug) if joined else redirect("join", token)
    is_for_me = isinstance(user, User) and (
        EmailAddress.objects.filter(user=user, verified=True, email=invitation.email).exists()
    )
    return render(request, "teams/join.html", {"invitation": invitation, "is_for_me": is_for_me})


def _of_team(request: TeamRequest, pk: UUID) -> Invitation:
    invitation = Invitation.objects.for_team(request.team).filter(pk=pk).first()
    if invitation is None:
        raise NotFound(_("This invitation does not exist."))
    return invitation
