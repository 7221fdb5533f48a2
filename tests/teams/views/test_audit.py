"""The audit log as managers read it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import Team, User
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


def test_the_audit_log_says_who_did_what(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))
    submit(owner, f"/teams/acme/members/{member.pk}/role/", role="admin")

    page = read(owner, "/teams/acme/audit/")

    who = owner_of(team).user.email
    assert f"2026-06-03 10:02:00 {who} role.changed mia@example.com" in page
    assert "before: member" in page
    assert "after: admin" in page
    assert "The system member.joined mia@example.com role: member" in page
