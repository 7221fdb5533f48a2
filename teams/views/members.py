"""What Owner and Admin do to a member: another role, a revoked key, removal; and transferring the Team."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from teams.models import Role
from teams.permissions import Right, member_of
from teams.services import memberships
from teams.services.keys import revoke_keys
from teams.services.teams import transfer_ownership
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, team_page
from teams.views.proof import needs_proof
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.pages import attempt


@team_page(post=Right.CHANGE_ROLE)
def change_role(request: TeamRequest, pk: int) -> HttpResponse:
    """Admin or Member."""
    member = member_of(request.team, pk)
    role = request.POST.get("role", "")
    name = member.user.display_name
    done = _("%(name)s is now an Admin.") if role == Role.ADMIN else _("%(name)s is now a Member.")
    if attempt(
        request,
        lambda: memberships.change_role(membership=member, role=role, by=request.user, at=timezone.now()),
        done % {"name": name},
    ):
        enqueue(deliver_mail)
    return redirect("team-member", request.team.slug, member.pk)


@team_page(post=Right.CHANGE_ROLE)
def billing_right(request: TeamRequest, pk: int) -> HttpResponse:
    """The member manages the Team's billing too, or does not any more."""
    member = member_of(request.team, pk)
    allowed = request.POST.get("allowed") == "yes"
    given, taken = _("%(name)s manages billing now."), _("%(name)s does not manage billing any more.")
    if attempt(
        request,
        lambda: memberships.set_billing_right(
            membership=member, allowed=allowed, by=request.user, at=timezone.now()
        ),
        (given if allowed else taken) % {"name": member.user.display_name},
    ):
        enqueue(deliver_mail)
    return redirect("team-member", request.team.slug, member.pk)


@team_page(post=Right.REMOVE_MEMBER)
def remove(request: TeamRequest, pk: int) -> HttpResponse:
    """The member is removed: the key stops working at once, the seat is free."""
    member = member_of(request.team, pk)
    done = _("%(name)s is no longer a member. The key stopped working.") % {"name": member.user.display_name}
    if attempt(
        request,
        lambda: memberships.end_membership(membership=member, by=request.user, at=timezone.now()),
        done,
    ):
        enqueue(deliver_mail)
    return redirect("team-members", request.team.slug)


@team_page(post=Right.REVOKE_KEY)
def revoke_key(request: TeamRequest, pk: int) -> HttpResponse:
    """A member's key stops working; the member can rotate to get a new one."""
    member = member_of(request.team, pk)
    done = _("The key of %(name)s no longer works.") % {"name": member.user.display_name}
    attempt(request, lambda: revoke_keys(membership=member, at=timezone.now(), by=request.user), done)
    return redirect("team-member", request.team.slug, member.pk)


@team_page(post=Right.TRANSFER)
@needs_proof("POST")
def transfer(request: TeamRequest, pk: int) -> HttpResponse:
    """The member becomes the Owner, the Owner an Admin."""
    member = member_of(request.team, pk)
    done = _("%(name)s is now the Owner. You are an Admin.") % {"name": member.user.display_name}
    if attempt(
        request,
        lambda: transfer_ownership(team=request.team, to=member, by=request.user, at=timezone.now()),
        done,
    ):
        enqueue(deliver_mail)
    return redirect("team-member", request.team.slug, member.pk)
