"""The people of a Team: roles, keys, removing, leaving, handing the Team over."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from quota.selectors.roster import roster
from quota.services import keys, members
from teams.permissions import Right
from teams.ring import ring
from teams.services import memberships, teams
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, attempt, member_of, show, team_page


@team_page(get=Right.VIEW_MEMBERS)
def team_members(request: TeamRequest) -> HttpResponse:
    """Everyone, with role, seat and the prefix of the key."""
    return show(request, "quota/members.html", {"rows": roster(request.team, timezone.now())})


@team_page(post=Right.CHANGE_ROLE)
def change_role(request: TeamRequest, pk: int) -> HttpResponse:
    """Admin or Member."""
    member = member_of(request.team, pk)
    role = request.POST.get("role", "")
    done = f"{member.user.display_name} is now {role.capitalize()}."
    if attempt(
        request,
        lambda: memberships.change_role(membership=member, role=role, by=request.user, at=timezone.now()),
        done,
    ):
        ring(deliver_mail)
    return redirect("team-members", request.team.slug)


@team_page(post=Right.REMOVE_MEMBER)
def remove(request: TeamRequest, pk: int) -> HttpResponse:
    """The key dies at once, the seat is free."""
    member = member_of(request.team, pk)
    done = f"{member.user.display_name} is no longer a member. The key stopped working."
    if attempt(
        request, lambda: members.end_membership(membership=member, by=request.user, at=timezone.now()), done
    ):
        ring(deliver_mail)
    return redirect("team-members", request.team.slug)


@team_page(post=Right.REVOKE_KEY)
def revoke_key(request: TeamRequest, pk: int) -> HttpResponse:
    """A member's key stops working; the member can rotate to get a new one."""
    member = member_of(request.team, pk)
    done = f"The key of {member.user.display_name} no longer works."
    attempt(request, lambda: keys.revoke_keys(membership=member, at=timezone.now(), by=request.user), done)
    return redirect("team-members", request.team.slug)


@team_page(post=Right.TRANSFER)
def transfer(request: TeamRequest, pk: int) -> HttpResponse:
    """The member becomes the Owner, the Owner an Admin."""
    member = member_of(request.team, pk)
    done = f"{member.user.display_name} is now the Owner. You are an Admin."
    if attempt(
        request,
        lambda: teams.transfer_ownership(team=request.team, to=member, by=request.user, at=timezone.now()),
        done,
    ):
        ring(deliver_mail)
    return redirect("team-members", request.team.slug)


@team_page(post=Right.USE)
def leave(request: TeamRequest) -> HttpResponse:
    """One's own membership ends."""
    if attempt(
        request,
        lambda: members.end_membership(membership=request.membership, by=request.user, at=timezone.now()),
        f"You left {request.team.name}. Your key for it stopped working.",
    ):
        return redirect("account")
    return redirect("team", request.team.slug)
