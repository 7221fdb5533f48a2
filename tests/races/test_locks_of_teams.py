"""Each verb of `teams` that locks, while another is in the middle of what it must not overlook.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from teams.errors import (
    InvitationNotUsable,
    InviterMayNotInvite,
    OwnerMustTransferFirst,
    SeatNotUndone,
    TeamHasLiveSeats,
)
from teams.invitation_tokens import token_of
from teams.models import AuditEntry, Invitation, Membership, Role, Seat, SeatHolding, Team
from teams.services import accounts, invitations, keys, memberships, seats, teams
from tests.helpers.factories import T0 as NOON
from tests.helpers.factories import make_member, make_team, make_user, owner_of
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tokenplan.kit.errors import NotFound, PermissionRefused

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LATER = NOON + timedelta(hours=1)


@dataclass
class People:
    """A Team with an Owner, two members, and a seat."""

    team: Team = field(default_factory=make_team)

    def __post_init__(self) -> None:
        self.owner = owner_of(self.team)
        self.bob, self.eve, self.new = make_member(self.team), make_member(self.team), make_user()

    def seat(self, holder: Membership | None = None) -> Seat:
        seat = seats.add_seat(team=self.team, by=None, at=NOON)
        if holder is not None:
            seats.assign_seat(seat=seat, membership=holder, by=None, at=NOON)
        return seat

    def invite(self) -> Invitation:
        return invitations.invite(
            team=self.team, email=self.new.email, role="member", by=self.owner.user, at=NOON
        )

    def delete(self) -> Team:
        return teams.delete_team(team=self.team, by=None, at=NOON)

    def leave(self, who: Membership) -> Membership:
        return memberships.end_membership(membership=who, by=None, at=NOON)

    def transfer(self, to: Membership) -> Membership:
        return teams.transfer_ownership(team=self.team, to=to, by=self.owner.user, at=NOON)

    def assign(self, seat: Seat, to: Membership) -> SeatHolding:
        return seats.assign_seat(seat=seat, membership=to, by=None, at=LATER)

    def held_by(self, seat: Seat) -> list[int]:
        return list(SeatHolding.objects.current().filter(seat=seat).values_list("membership_id", flat=True))

    def live(self) -> set[int]:
        return set(Membership.objects.filter(team=self.team, ended_at=None).values_list("pk", flat=True))

    def audited(self, action: str) -> int:
        return AuditEntry.objects.filter(team=self.team, action=action).count()


def invited_to_a_team_that_is_deleted() -> Case:
    we = People()
    return Case(we.delete, we.invite, lambda: not Invitation.objects.for_team(we.team).exists(), NotFound)


def joins_a_team_that_is_deleted() -> Case:
    we = People()
    return Case(
        we.delete,
        lambda: memberships.add_member(team=we.team, user=we.new, role="member", by=None, at=LATER),
        lambda: not we.live(),
        NotFound,
    )


def sent_again_while_it_is_revoked() -> Case:
    we = People()
    invitation = we.invite()
    return Case(
        lambda: invitations.revoke(invitation=invitation, by=None, at=NOON),
        lambda: invitations.resend(invitation=invitation, by=we.owner.user, at=LATER),
        lambda: Invitation.objects.get(pk=invitation.pk).times_sent == 1,
        InvitationNotUsable,
    )


def revoked_while_it_is_accepted() -> Case:
    we = People()
    invitation = we.invite()
    return Case(
        lambda: invitations.accept_invitation(token=token_of(invitation.pk, 1), by=we.new, at=NOON),
        lambda: invitations.revoke(invitation=invitation, by=None, at=LATER),
        lambda: Invitation.objects.get(pk=invitation.pk).revoked_at is None,
        InvitationNotUsable,
    )


def accepted_while_it_is_revoked() -> Case:
    we = People()
    invitation = we.invite()
    return Case(
        lambda: invitations.revoke(invitation=invitation, by=None, at=NOON),
        lambda: invitations.accept_invitation(token=token_of(invitation.pk, 1), by=we.new, at=LATER),
        lambda: not we.new.memberships.live().filter(team=we.team).exists(),
        InvitationNotUsable,
    )


def accepted_while_who_invited_leaves() -> Case:
    we = People()
    admin = make_member(we.team, role=Role.ADMIN)
    invitation = invitations.invite(team=we.team, email=we.new.email, role="member", by=admin.user, at=NOON)
    return Case(
        lambda: we.leave(admin),
        lambda: invitations.accept_invitation(token=token_of(invitation.pk, 1), by=we.new, at=LATER),
        lambda: not we.new.memberships.live().filter(team=we.team).exists(),
        InviterMayNotInvite,
    )


def undone_while_it_moves_on() -> Case:
    we = People()
    seat = we.seat()
    holding = we.assign(seat, we.bob)
    change = seats.Change(holding.pk, True, None, LATER)
    return Case(
        lambda: seats.move_seat(seat=seat, to=we.eve, by=None, at=LATER),
        lambda: seats.undo_change(seat=seat, change=change, by=we.owner.user, at=LATER),
        lambda: we.held_by(seat) == [we.eve.pk],
        SeatNotUndone,
    )


def a_key_revoked_while_it_is_rotated() -> Case:
    we = People()

    def rotate() -> object:
        overlap = timedelta(hours=24)
        return keys.rotate_key(membership=we.bob, overlap=overlap, at=NOON, by=we.bob.user)

    return Case(
        rotate,
        lambda: keys.revoke_keys(membership=we.bob, at=LATER, by=None),
        lambda: not we.bob.keys.filter(revoked_at=None).exists(),
    )


def a_role_given_by_who_hands_over_the_team() -> Case:
    we = People()
    return Case(
        lambda: we.transfer(we.eve),
        lambda: memberships.change_role(membership=we.bob, role="admin", by=we.owner.user, at=LATER),
        lambda: we.team.memberships.get(pk=we.bob.pk).role == Role.MEMBER,
        PermissionRefused,
    )


def a_role_given_to_who_leaves() -> Case:
    we = People()
    return Case(
        lambda: we.leave(we.bob),
        lambda: memberships.change_role(membership=we.bob, role="admin", by=None, at=LATER),
        lambda: we.audited("role.changed") == 0,
        NotFound,
    )


def removed_while_becoming_the_owner() -> Case:
    we = People()
    return Case(
        lambda: we.transfer(we.eve),
        lambda: we.leave(we.eve),
        lambda: we.eve.pk in we.live(),
        OwnerMustTransferFirst,
    )


def becoming_the_owner_while_removed() -> Case:
    we = People()
    return Case(
        lambda: we.leave(we.eve),
        lambda: we.transfer(we.eve),
        lambda: Membership.objects.owner_of(we.team) == we.owner,
        NotFound,
    )


def transferred_twice() -> Case:
    we = People()
    return Case(
        lambda: we.transfer(we.eve),
        lambda: we.transfer(we.bob),
        lambda: Membership.objects.owner_of(we.team) == we.eve,
        PermissionRefused,
    )


def renamed_twice() -> Case:
    we = People()

    def rename(name: str) -> Callable[[], object]:
        return lambda: teams.rename_team(team=we.team, name=name, by=None, at=NOON)

    def log() -> list[str]:
        entries = AuditEntry.objects.filter(team=we.team, action="team.renamed").order_by("pk")
        return [entry.details["before"] for entry in entries]

    return Case(rename("One"), rename("Two"), lambda: log() == [we.team.name, "One"])


def deleted_while_a_seat_is_added() -> Case:
    we = People()
    return Case(
        we.seat, we.delete, lambda: Team.objects.live().filter(pk=we.team.pk).exists(), TeamHasLiveSeats
    )


def a_seat_added_to_a_team_that_is_deleted() -> Case:
    we = People()
    return Case(we.delete, we.seat, lambda: not we.team.seats.exists(), NotFound)


def a_seat_removed_while_it_is_assigned() -> Case:
    we = People()
    seat = we.seat()
    return Case(
        lambda: we.assign(seat, we.bob),
        lambda: seats.remove_seat(seat=seat, by=None, at=LATER),
        lambda: we.held_by(seat) == [],
    )


def a_seat_assigned_while_it_is_removed() -> Case:
    we = People()
    seat = we.seat()
    return Case(
        lambda: seats.remove_seat(seat=seat, by=None, at=NOON),
        lambda: we.assign(seat, we.bob),
        lambda: we.held_by(seat) == [],
        NotFound,
    )


def a_seat_assigned_to_who_leaves() -> Case:
    we = People()
    seat = we.seat()
    return Case(
        lambda: we.leave(we.bob), lambda: we.assign(seat, we.bob), lambda: we.held_by(seat) == [], NotFound
    )


def a_seat_moved_to_who_leaves() -> Case:
    we = People()
    seat = we.seat(we.eve)
    return Case(
        lambda: we.leave(we.bob),
        lambda: seats.move_seat(seat=seat, to=we.bob, by=None, at=LATER),
        lambda: we.held_by(seat) == [we.eve.pk],
        NotFound,
    )


def a_seat_moved_while_it_is_removed() -> Case:
    we = People()
    seat = we.seat(we.eve)
    return Case(
        lambda: seats.remove_seat(seat=seat, by=None, at=NOON),
        lambda: seats.move_seat(seat=seat, to=we.bob, by=None, at=LATER),
        lambda: we.held_by(seat) == [],
        NotFound,
    )


def a_seat_freed_while_it_is_moved() -> Case:
    we = People()
    seat = we.seat(we.eve)
    return Case(
        lambda: seats.move_seat(seat=seat, to=we.bob, by=None, at=NOON),
        lambda: seats.free_seat(seat=seat, by=None, at=LATER),
        lambda: we.held_by(seat) == [],
    )


def a_holder_leaves_while_the_seat_is_moved() -> Case:
    we = People()
    seat = we.seat(we.eve)
    return Case(
        lambda: seats.move_seat(seat=seat, to=we.bob, by=None, at=NOON),
        lambda: we.leave(we.eve),
        lambda: we.held_by(seat) == [we.bob.pk] and we.audited("seat.freed") == 1,
    )


def an_account_closed_twice() -> Case:
    user = make_user()
    return Case(
        lambda: accounts.deactivate(user=user, by=None, at=NOON),
        lambda: accounts.deactivate(user=user, by=None, at=LATER),
        lambda: AuditEntry.objects.filter(action="account.closed", subject=user.email).count() == 1,
    )


def an_account_opened_again_twice() -> Case:
    user = accounts.deactivate(user=make_user(), by=None, at=NOON)
    return Case(
        lambda: accounts.reactivate(user=user, reason="x", by=None, at=NOON),
        lambda: accounts.reactivate(user=user, reason="x", by=None, at=LATER),
        lambda: AuditEntry.objects.filter(action="account.reopened", subject=user.email).count() == 1,
    )


CASES: list[Callable[[], Case]] = [
    invited_to_a_team_that_is_deleted,
    joins_a_team_that_is_deleted,
    sent_again_while_it_is_revoked,
    revoked_while_it_is_accepted,
    accepted_while_it_is_revoked,
    accepted_while_who_invited_leaves,
    a_key_revoked_while_it_is_rotated,
    undone_while_it_moves_on,
    a_role_given_by_who_hands_over_the_team,
    a_role_given_to_who_leaves,
    removed_while_becoming_the_owner,
    becoming_the_owner_while_removed,
    transferred_twice,
    renamed_twice,
    deleted_while_a_seat_is_added,
    a_seat_added_to_a_team_that_is_deleted,
    a_seat_removed_while_it_is_assigned,
    a_seat_assigned_while_it_is_removed,
    a_seat_assigned_to_who_leaves,
    a_seat_moved_to_who_leaves,
    a_seat_moved_while_it_is_removed,
    a_seat_freed_while_it_is_moved,
    a_holder_leaves_while_the_seat_is_moved,
    an_account_closed_twice,
    an_account_opened_again_twice,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)


def test_who_accepts_waits_for_the_team_before_anything_else_is_locked() -> None:
    """In another order it and a deletion, which revokes invitations, would wait for each other."""
    we = People()
    token = token_of(we.invite().pk, 1)

    def first() -> None:
        Team.objects.select_for_update(no_key=True).get(pk=we.team.pk)

    def not_locked() -> None:
        Invitation.objects.select_for_update(no_key=True, nowait=True).get()

    case = Case(
        first,
        lambda: invitations.accept_invitation(token=token, by=we.new, at=LATER),
        lambda: we.new.memberships.live().filter(team=we.team).exists(),
        meanwhile=not_locked,
    )
    case.run()
    assert not case.is_lost(), case.answer
