"""Deleting a Team."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import Team, User
from tests.helpers.factories import (
    make_seat,
    make_team,
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


def test_deleting_asks_for_the_name(team: Team, owner: Client) -> None:
    assert "Nothing was deleted" in submit(owner, "/teams/acme/delete/", name="acme")
    team.refresh_from_db()
    assert team.deleted_at is None

    assert "Acme is deleted." in submit(owner, "/teams/acme/delete/", name="Acme")
    assert owner.get("/teams/acme/").status_code == 404


def test_a_team_with_seats_is_not_deleted(team: Team, owner: Client) -> None:
    make_seat(team)

    assert "The Team still has seats that were given by operators" in submit(
        owner, "/teams/acme/delete/", name="Acme"
    )
    assert owner.get("/teams/acme/").status_code == 200
