"""What Owner and Admin do to a member: roles, keys, removal; transferring the Team."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import Mail, Membership, Role, SubscriptionKey, Team, User
from tests.helpers.factories import (
    make_member,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import submit

pytestmark = pytest.mark.django_db


AsUser = Callable[[User], Client]


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def owner(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def test_the_owner_changes_a_role(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))
    url = f"/teams/acme/members/{member.pk}/role/"

    assert "mia@example.com is now an Admin." in submit(owner, url, role="admin")
    member.refresh_from_db()
    assert member.role == Role.ADMIN
    assert Mail.objects.filter(kind="role_changed", to="mia@example.com").count() == 1

    assert "A role is admin or member" in submit(owner, url, role="owner")
    member.refresh_from_db()
    assert member.role == Role.ADMIN


def test_removing_a_member_kills_the_key(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))

    page = submit(owner, f"/teams/acme/members/{member.pk}/remove/")

    assert "mia@example.com is no longer a member. The key stopped working." in page
    assert SubscriptionKey.objects.get(membership=member).revoked_at is not None
    assert owner.post(f"/teams/acme/members/{member.pk}/remove/").status_code == 404


def test_the_owner_cannot_be_removed(team: Team, owner: Client) -> None:
    page = submit(owner, f"/teams/acme/members/{owner_of(team).pk}/remove/")

    assert "before transferring ownership." in page
    assert owner_of(team).ended_at is None


def test_revoking_a_members_key(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))

    page = submit(owner, f"/teams/acme/members/{member.pk}/revoke-key/")

    assert "The key of mia@example.com no longer works." in page
    assert "Revoked" in page
    assert SubscriptionKey.objects.get(membership=member).revoked_at is not None


def test_handing_the_team_over(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))

    page = submit(owner, f"/teams/acme/members/{member.pk}/transfer/")

    assert "mia@example.com is now the Owner. You are an Admin." in page
    assert owner_of(team) == member
    assert "is now the Owner" not in submit(owner, "/teams/acme/leave/")


def test_a_member_of_another_team_is_not_there(team: Team, owner: Client) -> None:
    stranger = make_member(make_team())

    for verb in ("role", "remove", "revoke-key", "transfer"):
        assert owner.post(f"/teams/acme/members/{stranger.pk}/{verb}/").status_code == 404
    assert Membership.objects.get(pk=stranger.pk).ended_at is None
