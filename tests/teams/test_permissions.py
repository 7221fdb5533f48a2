"""Which role has which right, and whose Team an address names."""

from typing import Any

import pytest

from teams.models import Invitation, Membership, Role, Team
from teams.permissions import (
    Right,
    api_key_of,
    may,
    member_of,
    membership_of,
    require,
    require_now,
    right_to_invite,
    who_may,
    with_inviters,
)
from teams.services.accounts import deactivate
from teams.services.invitations import invite
from teams.services.memberships import change_role, end_membership, set_billing_right
from teams.services.teams import transfer_ownership
from tests.helpers.factories import T0, make_api_key, make_member, make_team, make_user, owner_of
from tokenplan.kit.errors import NotFound, PermissionRefused

# Written out again, so that a slip in the table is seen (docs/rules.md, Roles).
OF_EVERYONE = {Right.USE, Right.VIEW_TEAM}
OF_THE_OWNER = {
    *(Right.CHANGE_ROLE, Right.RENAME, Right.SET_OVERFLOW, Right.MANAGE_BILLING),
    *(Right.TRANSFER, Right.DELETE_TEAM, Right.INVITE_ADMIN),
}
OF_MANAGERS = set(Right) - OF_EVERYONE - OF_THE_OWNER


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.MEMBER, OF_EVERYONE),
        (Role.ADMIN, OF_EVERYONE | OF_MANAGERS),
        (Role.OWNER, OF_EVERYONE | OF_MANAGERS | OF_THE_OWNER),
    ],
)
def test_a_role_has_these_rights_and_no_other(role: Role, rights: set[Right]) -> None:
    membership = Membership(role=role, team=Team())
    assert {right for right in Right if may(membership, right)} == rights
    for right in rights:
        require(membership, right)


def test_a_team_may_let_its_members_make_api_keys_and_nothing_else() -> None:
    membership = Membership(role=Role.MEMBER, team=Team(members_make_api_keys=True))

    assert {right for right in Right if may(membership, right)} == OF_EVERYONE | {Right.MAKE_API_KEYS}


@pytest.mark.parametrize("role", [Role.MEMBER, Role.ADMIN])
def test_the_billing_right_adds_seeing_what_is_bought_and_paying_and_nothing_else(role: Role) -> None:
    without = Membership(role=role, team=Team())
    membership = Membership(role=role, team=Team(), manages_billing=True)

    found = {right for right in Right if may(membership, right)}

    assert found == {right for right in Right if may(without, right)} | {
        Right.MANAGE_BILLING,
        Right.VIEW_CREDITS,
    }
    assert (without.pays, membership.pays, Membership(role=Role.OWNER).pays) == (False, True, True)


@pytest.mark.django_db
def test_a_refusal_about_billing_names_whoever_has_the_billing_right_too() -> None:
    team = make_team(owner=make_user("olivia@example.com"))
    pia = make_member(team, make_user("pia@example.com"))
    set_billing_right(membership=pia, allowed=True, by=owner_of(team).user, at=T0)
    with pytest.raises(PermissionRefused) as refused:
        require(make_member(team), Right.MANAGE_BILLING)
    assert refused.value.detail == (
        "To buy seats, Credits and API balance, change and cancel the subscription, you need to be Owner of "
        "this Team, or have its Billing right. Ask olivia@example.com or pia@example.com."
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("right", "sentence"),
    [
        (Right.RENAME, "To rename the Team, you need to be Owner of this Team. Ask olivia@example.com."),
        (
            Right.VIEW_AUDIT,
            "To read the audit log, you need to be Owner or Admin of this Team. "
            "Ask olivia@example.com or Adam or a1@example.com.",
        ),
    ],
)
def test_a_refusal_says_which_roles_may_and_whom_to_ask(right: Right, sentence: str) -> None:
    team = make_team(owner=make_user("olivia@example.com"))
    adam = make_user("adam@example.com")
    adam.name = "Adam"
    adam.save()
    gone = make_member(team, make_user("gone@example.com"), role=Role.ADMIN)
    end_membership(membership=gone, by=None, at=T0)
    make_member(make_team(), make_user("other@example.com"), role=Role.ADMIN)
    mia = make_member(team)
    for user in (adam, make_user("a1@example.com"), make_user("a2@example.com")):
        make_member(team, user, role=Role.ADMIN)
    with pytest.raises(PermissionRefused) as refused:
        require(mia, right)
    assert refused.value.detail == sentence


def test_who_manages_finds_every_api_key_and_a_member_ones_own(team: Team) -> None:
    owner, maker, other = owner_of(team), make_member(team), make_member(team)
    key = make_api_key(maker, "batch")

    newer = make_api_key(maker, "newer")

    assert api_key_of(owner, key.pk) == api_key_of(maker, key.pk) == key
    assert api_key_of(owner, newer.pk) == api_key_of(maker, newer.pk) == newer
    for stranger in (other, owner_of(make_team())):
        with pytest.raises(NotFound):
            api_key_of(stranger, key.pk)


@pytest.fixture
def team(db: None) -> Team:
    return make_team()


def test_an_address_names_a_team_among_ones_own(team: Team) -> None:
    owner, other = owner_of(team), make_team(owner=make_user())
    found = membership_of(owner.user, team.slug)
    assert (found, found.team) == (owner, team)
    for user, slug in ((owner.user, other.slug), (owner.user, "no-such-team"), (make_user(), team.slug)):
        with pytest.raises(NotFound, match="no such Team"):
            membership_of(user, slug)


def test_a_former_member_is_nobody(team: Team) -> None:
    member = make_member(team)
    assert membership_of(member.user, team.slug) == member_of(team, member.pk) == member
    end_membership(membership=member, by=None, at=T0)
    with pytest.raises(NotFound):
        membership_of(member.user, team.slug)
    with pytest.raises(NotFound):
        member_of(team, member.pk)


def test_a_member_of_another_team_is_no_member(team: Team) -> None:
    stranger = owner_of(make_team(owner=make_user()))
    with pytest.raises(NotFound) as refusal:
        member_of(team, stranger.pk, pointer="/member")
    assert refusal.value.pointer == "/member"
    assert member_of(team, owner_of(team).pk) == owner_of(team)


def test_what_goes_on_after_its_request_is_asked_about_anew(team: Team) -> None:
    """By the role of this moment, not by that of the membership one holds."""
    admin = make_member(team, role=Role.ADMIN)
    assert require_now(admin.user, team, Right.INVITE) == admin
    change_role(membership=admin, role=Role.MEMBER, by=owner_of(team).user, at=T0)
    assert require_now(admin.user, team, Right.USE).role == Role.MEMBER
    with pytest.raises(PermissionRefused):
        require_now(admin.user, team, Right.INVITE)
    deactivate(user=admin.user, by=None, at=T0)
    for user in (admin.user, make_user(), owner_of(make_team(owner=make_user())).user):
        with pytest.raises(NotFound, match="Whoever asked for this is no longer a member of the Team"):
            require_now(user, team, Right.USE)


def test_nobody_is_sent_to_somebody_whose_account_is_closed(team: Team) -> None:
    admin = make_member(team, role=Role.ADMIN)
    assert who_may(team, Right.INVITE) == [owner_of(team).user.email, admin.user.email]
    deactivate(user=admin.user, by=None, at=T0)
    assert who_may(team, Right.INVITE) == [owner_of(team).user.email]


def test_the_owner_is_named_even_where_the_account_is_closed(team: Team) -> None:
    owner = owner_of(team)
    deactivate(user=owner.user, by=None, at=T0)
    assert who_may(team, Right.RENAME) == [owner.user.email]


def test_the_owner_is_named_first_whoever_was_a_member_before(team: Team) -> None:
    former, owner = owner_of(team), make_member(team)
    transfer_ownership(team=team, to=owner, by=former.user, at=T0)
    assert who_may(team, Right.INVITE) == [owner.user.email, former.user.email]
    assert who_may(team, Right.RENAME) == [owner.user.email]


def test_who_has_the_billing_right_is_named_where_it_is_about_billing_alone(team: Team) -> None:
    payer = make_member(team)
    set_billing_right(membership=payer, allowed=True, by=owner_of(team).user, at=T0)
    assert who_may(team, Right.VIEW_CREDITS) == [owner_of(team).user.email, payer.user.email]
    assert who_may(team, Right.INVITE) == [owner_of(team).user.email]


def test_what_goes_on_after_its_request_ends_with_the_membership(team: Team) -> None:
    member = make_member(team)
    assert require_now(member.user, team, Right.USE) == member
    end_membership(membership=member, by=None, at=T0)
    with pytest.raises(NotFound, match="no longer a member"):
        require_now(member.user, team, Right.USE)


def test_an_admin_is_invited_by_a_right_of_its_own() -> None:
    assert right_to_invite(Role.ADMIN) == Right.INVITE_ADMIN
    assert right_to_invite(Role.MEMBER) == Right.INVITE


def test_an_invitation_is_as_good_as_who_sent_it_is_in_its_team_now(team: Team) -> None:
    owner, admin, member = owner_of(team), make_member(team, role=Role.ADMIN), make_member(team)
    former, closed = make_member(team, role=Role.ADMIN), make_member(team, role=Role.ADMIN)
    end_membership(membership=former, by=None, at=T0)
    deactivate(user=closed.user, by=None, at=T0)
    elsewhere = owner_of(make_team(owner=make_user()))
    senders = owner, admin, member, former, closed, elsewhere

    def inviter_may(role: Role) -> list[bool]:
        invitation = invite(team=team, email=f"{role}@example.com", role=role, by=owner.user, at=T0)
        found = []
        for sender in senders:
            Invitation.objects.update(invited_by=sender.user)
            asked: Any = with_inviters(Invitation.objects.all()).get(pk=invitation.pk)
            found.append(asked.inviter_may)
        return found

    assert inviter_may(Role.MEMBER) == [True, True, False, False, False, False]
    assert inviter_may(Role.ADMIN) == [True, False, False, False, False, False]
