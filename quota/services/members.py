"""Joining and leaving, with the key: every live membership has one, and it dies with the membership."""

from __future__ import annotations

from datetime import datetime

from quota.models import CreditAccess, SeatRequest, SubscriptionKey
from quota.services.keys import issue_key, revoke_keys
from teams.models import Membership, Team, User
from teams.services import accounts, invitations, memberships, teams
from teams.transactions import one_transaction


@one_transaction()
def open_account(*, user: User, at: datetime) -> Membership:
    """The user's Default Team, with the key and its own Credits switched on. Any number of calls is one."""
    membership = accounts.open_default_team(user=user, at=at)
    _equip(membership, credits=True, at=at)
    return membership


@one_transaction()
def create_team(*, name: str, by: User, at: datetime) -> Membership:
    """A regular Team whose Owner, with a key, is `by`. Raises InvalidValue."""
    membership = teams.create(name=name, by=by, at=at)
    _equip(membership, credits=True, at=at)
    return membership


@one_transaction()
def add_member(*, team: Team, user: User, role: str, at: datetime, by: User | None) -> Membership:
    """A member without an invitation: an operator's act. Raises AlreadyMember, DefaultTeamIsPersonal,
    InvalidValue.
    """
    membership = memberships.add_member(team=team, user=user, role=role, by=by, at=at)
    _equip(membership, credits=False, at=at)
    return membership


@one_transaction()
def accept_invitation(*, token: str, by: User, at: datetime) -> Membership:
    """Join by an invitation. Raises InvitationNotUsable, InvitationForAnotherAddress, AlreadyMember."""
    membership = invitations.accept(token=token, by=by, at=at)
    _equip(membership, credits=False, at=at)
    return membership


@one_transaction()
def end_membership(*, membership: Membership, by: User | None, at: datetime) -> Membership:
    """Leave (`by` is the member) or be removed: the key dies at once, the seat is free, access to Credits
    ends.

    History stays. Raises OwnerMustTransferFirst, DefaultTeamIsPersonal, NotFound.
    """
    revoke_keys(membership=membership, at=at, by=by)
    membership = memberships.end_membership(membership=membership, by=by, at=at)
    _strip(membership, at)
    return membership


@one_transaction()
def delete_team(*, team: Team, by: User | None, at: datetime) -> Team:
    """The Team is gone, and every key in it. Raises TeamHasLiveSeats, DefaultTeamIsPersonal."""
    # Locked first: nobody joins while it goes, with a key that would live on.
    team = teams.lock(team)
    live = list(Membership.objects.for_team(team).live().order_by("pk"))
    for membership in live:
        revoke_keys(membership=membership, at=at, by=by)
    team = teams.delete(team=team, by=by, at=at)
    for membership in live:
        _strip(membership, at)
    return team


def _equip(membership: Membership, *, credits: bool, at: datetime) -> None:
    """The first key, and access to Credits: an Owner's own from the start, others' when switched on."""
    if not SubscriptionKey.objects.current().filter(membership=membership).exists():
        issue_key(membership=membership, at=at)
        CreditAccess.objects.create(membership=membership, allowed=credits)


def _strip(membership: Membership, at: datetime) -> None:
    CreditAccess.objects.filter(membership=membership).update(allowed=False)
    SeatRequest.objects.open().filter(membership=membership).update(closed_at=at, granted=False)
