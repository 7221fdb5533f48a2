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
from tests.helpers.reading import read, told

pytestmark = pytest.mark.django_db


Visit = Callable[[User], Client]


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def owner(team: Team, visit: Visit) -> Client:
    return visit(owner_of(team).user)


def test_leaving(team: Team, visit: Visit) -> None:
    member = make_member(team)

    page = told(visit(member.user), "/teams/acme/leave/")

    assert "You left Acme. Your key for it stopped working." in page
    member.refresh_from_db()
    assert member.ended_at is not None


def test_renaming_keeps_the_address(team: Team, owner: Client) -> None:
    assert "The Team is renamed." in told(owner, "/teams/acme/settings/", name="Acme & Sons")
    assert "Acme &amp; Sons" in owner.get("/teams/acme/").content.decode()

    answer = owner.post("/teams/acme/settings/", {"name": "two\nlines"})
    assert answer.status_code == 422
    team.refresh_from_db()
    assert team.name == "Acme & Sons"


def test_creating_a_team_makes_its_owner_and_key(visit: Visit) -> None:
    user = make_user()

    page = told(visit(user), "/new-team/", name="Initech")

    owner = Membership.objects.get(team__slug="initech")
    assert (owner.user, owner.role) == (user, Role.OWNER)
    assert SubscriptionKey.objects.filter(membership=owner).count() == 1
    assert "Members 1" in page

    assert visit(user).post("/new-team/", {"name": " "}).status_code == 422
    assert "Create a Team" in read(visit(user), "/new-team/")
