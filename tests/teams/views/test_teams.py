"""Creating, renaming and leaving a Team."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import Membership, Role, SubscriptionKey, Team, User
from tests.helpers.factories import (
    make_member,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import read, submit

pytestmark = pytest.mark.django_db


AsUser = Callable[[User], Client]


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def owner(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def test_leaving(team: Team, as_user: AsUser) -> None:
    member = make_member(team)

    page = submit(as_user(member.user), "/teams/acme/leave/")

    assert "You left Acme. Your key for it stopped working." in page
    member.refresh_from_db()
    assert member.ended_at is not None


def test_renaming_keeps_the_address(team: Team, owner: Client) -> None:
    assert "The Team is renamed." in submit(owner, "/teams/acme/settings/", name="Acme & Sons")
    assert "Acme &amp; Sons" in owner.get("/teams/acme/").content.decode()

    answer = owner.post("/teams/acme/settings/", {"name": "two\nlines"})
    assert answer.status_code == 422
    team.refresh_from_db()
    assert team.name == "Acme & Sons"


def test_creating_a_team_makes_its_owner_and_key(as_user: AsUser) -> None:
    user = make_user()

    page = submit(as_user(user), "/new-team/", name="Initech")

    owner = Membership.objects.get(team__slug="initech")
    assert (owner.user, owner.role) == (user, Role.OWNER)
    assert SubscriptionKey.objects.filter(membership=owner).count() == 1
    assert "Members 1" in page

    assert as_user(user).post("/new-team/", {"name": " "}).status_code == 422
    assert "Create a Team" in read(as_user(user), "/new-team/")
