from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from teams.errors import AlreadyMember, DefaultTeamIsPersonal, OwnerMustTransferFirst
from teams.models import AuditEntry, Mail, Membership, Role
from teams.permissions import TABLE, Right, may, membership_of, require
from teams.services import memberships, seats
from teams.services.teams import transfer_ownership
from tests.helpers.people import NOON, everything, member, person, team
from tokenplan.kit.errors import InvalidValue, NotFound, PermissionRefused

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(days=1)


def test_a_member_joins_once() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com", Role.ADMIN)
    entry = AuditEntry.objects.get(action="member.joined")
    assert (entry.subject, entry.details, entry.by) == ("bob@example.com", {"role": "admin"}, None)
    before = everything()
    with pytest.raises(AlreadyMember):
        memberships.add_member(team=owner.team, user=bob.user, role=Role.MEMBER, by=None, at=LATER)
    assert everything() == before


def test_nobody_joins_as_owner_or_into_a_default_team() -> None:
    owner, bob = team(), person("bob@example.com")
    before = everything()
    for role in ("owner", "king", ""):
        with pytest.raises(InvalidValue):
            memberships.add_member(team=owner.team, user=bob, role=role, by=None, at=NOON)
    with pytest.raises(DefaultTeamIsPersonal):
        memberships.add_member(team=owner.user.default_team, user=bob, role=Role.MEMBER, by=None, at=NOON)
    assert everything() == before


def test_the_owner_changes_roles_and_the_member_gets_a_mail() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    changed = memberships.change_role(membership=bob, role=Role.ADMIN, by=owner.user, at=LATER)
    assert changed.role == Role.ADMIN
    entry = AuditEntry.objects.get(action="role.changed")
    assert (entry.by, entry.details) == (owner.user, {"before": "member", "after": "admin"})
    assert Mail.objects.get(kind="role_changed").to == "bob@example.com"
    before = everything()
    memberships.change_role(membership=bob, role=Role.ADMIN, by=owner.user, at=LATER)
    assert everything() == before


def test_the_owner_gives_and_takes_the_billing_right_and_the_member_gets_a_mail() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    for allowed, action in ((True, "billing_right.given"), (False, "billing_right.taken")):
        changed = memberships.set_billing_right(membership=bob, allowed=allowed, by=owner.user, at=LATER)
        assert (changed.manages_billing, changed.role) == (allowed, Role.MEMBER)
        entry = AuditEntry.objects.get(action=action)
        assert (entry.by, entry.subject) == (owner.user, "bob@example.com")
        mail = Mail.objects.get(kind="billing_right")
        assert (mail.kind, mail.to) == ("billing_right", "bob@example.com")
        before = everything()
        memberships.set_billing_right(membership=bob, allowed=allowed, by=owner.user, at=LATER)
        assert everything() == before


def test_nobody_but_the_owner_gives_the_billing_right_and_the_owner_needs_none() -> None:
    owner = team()
    admin, bob = member(owner.team, "admin@example.com", Role.ADMIN), member(owner.team, "bob@example.com")
    memberships.set_billing_right(membership=bob, allowed=True, by=owner.user, at=NOON)
    eve = person("eve@example.com")
    before = everything()
    for user, target in ((admin.user, admin), (bob.user, admin), (admin.user, bob), (eve, bob)):
        with pytest.raises(PermissionRefused):
            memberships.set_billing_right(membership=target, allowed=target == admin, by=user, at=LATER)
    with pytest.raises(InvalidValue):
        memberships.set_billing_right(membership=owner, allowed=True, by=owner.user, at=LATER)
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.filter(pk=owner.pk).update(manages_billing=True)
    with pytest.raises(PermissionRefused):
        memberships.change_member(membership=admin, role=None, manages_billing=True, by=bob.user, at=LATER)
    with pytest.raises(InvalidValue):
        memberships.change_member(membership=bob, role="king", manages_billing=False, by=owner.user, at=LATER)
    assert everything() == before


def test_who_becomes_the_owner_has_the_billing_right_by_the_role() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    memberships.set_billing_right(membership=bob, allowed=True, by=owner.user, at=NOON)
    transfer_ownership(team=owner.team, to=bob, by=owner.user, at=LATER)
    bob.refresh_from_db()
    owner.refresh_from_db()
    assert (bob.role, bob.manages_billing, bob.pays) == (Role.OWNER, False, True)
    assert (owner.role, owner.manages_billing, owner.pays) == (Role.ADMIN, False, False)


def test_nobody_but_the_owner_changes_roles_least_of_all_their_own() -> None:
    owner = team()
    admin, bob = member(owner.team, "admin@example.com", Role.ADMIN), member(owner.team, "bob@example.com")
    before = everything()
    for actor, target in ((admin, bob), (admin, admin), (bob, bob)):
        with pytest.raises(PermissionRefused):
            memberships.change_role(membership=target, role=Role.MEMBER, by=actor.user, at=LATER)
    with pytest.raises(OwnerMustTransferFirst):
        memberships.change_role(membership=owner, role=Role.ADMIN, by=owner.user, at=LATER)
    with pytest.raises(InvalidValue):
        memberships.change_role(membership=bob, role=Role.OWNER, by=owner.user, at=LATER)
    assert everything() == before


def test_an_owner_of_another_team_changes_nothing_here() -> None:
    owner, stranger = team(), team("Globex")
    bob = member(owner.team, "bob@example.com")
    before = everything()
    with pytest.raises(PermissionRefused):
        memberships.change_role(membership=bob, role=Role.ADMIN, by=stranger.user, at=LATER)
    assert everything() == before


def test_a_member_who_is_removed_frees_the_seat_and_gets_a_mail() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    seat = seats.add_seat(team=owner.team, by=None, at=NOON)
    holding = seats.assign_seat(seat=seat, membership=bob, by=owner.user, at=NOON)
    ended = memberships.end_membership(membership=bob, by=owner.user, at=LATER)
    holding.refresh_from_db()
    assert (ended.ended_at, holding.ended_at) == (LATER, LATER)
    actions = list(AuditEntry.objects.filter(at=LATER).order_by("pk").values_list("action", flat=True))
    assert actions == ["key.revoked", "seat.freed", "member.removed"]
    assert Mail.objects.get(kind="member_removed").to == "bob@example.com"
    with pytest.raises(NotFound):
        memberships.end_membership(membership=bob, by=owner.user, at=LATER)


def test_a_member_who_leaves_can_come_back_as_a_new_membership() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    memberships.end_membership(membership=bob, by=bob.user, at=LATER)
    assert AuditEntry.objects.latest("pk").action == "member.left"
    assert not Mail.objects.filter(kind="member_removed").exists()
    again = memberships.add_member(team=owner.team, user=bob.user, role=Role.MEMBER, by=None, at=LATER)
    assert again.pk != bob.pk
    assert Membership.objects.filter(team=owner.team, user=bob.user).count() == 2


def test_an_owner_neither_leaves_nor_is_removed() -> None:
    owner = team()
    admin = member(owner.team, "admin@example.com", Role.ADMIN)
    own = owner.user.default_team.memberships.get()
    before = everything()
    for by in (owner.user, admin.user, None):
        with pytest.raises(OwnerMustTransferFirst):
            memberships.end_membership(membership=owner, by=by, at=LATER)
    with pytest.raises(DefaultTeamIsPersonal):
        memberships.end_membership(membership=own, by=owner.user, at=LATER)
    assert everything() == before


def test_a_clock_that_is_behind_ends_nothing_before_it_began() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    ended = memberships.end_membership(membership=bob, by=None, at=NOON - timedelta(seconds=1))
    assert ended.ended_at == NOON


def test_the_database_allows_one_owner_and_known_roles() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    for role, constraint in (("owner", "a_team_has_at_most_one_owner"), ("king", "a_role_is_owner_admin")):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Membership.objects.filter(pk=bob.pk).update(role=role)


def test_the_permission_table() -> None:
    everyone, managers = {"owner", "admin", "member"}, {"owner", "admin"}
    assert {right.name: {str(role) for role in roles} for right, roles in TABLE.items()} == {
        "USE": everyone,
        "VIEW_TEAM": everyone,
        "VIEW_MEMBERS": managers,
        "INVITE": managers,
        "INVITE_ADMIN": {"owner"},
        "REMOVE_MEMBER": managers,
        "ASSIGN_SEAT": managers,
        "SWITCH_CREDITS": managers,
        "VIEW_USAGE": managers,
        "VIEW_CREDITS": managers,
        "VIEW_KEYS": managers,
        "REVOKE_KEY": managers,
        "MAKE_API_KEYS": managers,
        "MANAGE_API_KEYS": managers,
        "VIEW_AUDIT": managers,
        "CHANGE_ROLE": {"owner"},
        "RENAME": {"owner"},
        "SET_OVERFLOW": {"owner"},
        "MANAGE_BILLING": {"owner"},
        "TRANSFER": {"owner"},
        "DELETE_TEAM": {"owner"},
    }
    assert set(TABLE) == set(Right)


def test_a_right_that_is_missing_is_refused_by_name() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    require(owner, Right.INVITE)
    assert may(bob, Right.USE)
    with pytest.raises(PermissionRefused) as refused:
        require(bob, Right.INVITE)
    assert refused.value.detail == (
        "To invite people, and send again or revoke invitations, you need to be Owner or Admin of this Team. "
        f"Ask {owner.user.email}."
    )


def test_a_team_exists_for_its_members_alone() -> None:
    owner = team()
    bob, stranger = member(owner.team, "bob@example.com"), person("eve@example.com")
    assert membership_of(bob.user, "acme") == bob
    for user, slug in ((stranger, "acme"), (owner.user, "globex")):
        with pytest.raises(NotFound):
            membership_of(user, slug)
    memberships.end_membership(membership=bob, by=None, at=LATER)
    with pytest.raises(NotFound):
        membership_of(bob.user, "acme")
