"""A Team as people reach it by the API: its Owner, and a member without a seat."""

from __future__ import annotations

import pytest

from teams.models import Membership, Team
from tests.helpers.api_client import Caller, person
from tests.helpers.factories import Scene, make_member


@pytest.fixture
def team(scene: Scene) -> Team:
    return scene.team


@pytest.fixture
def owner(scene: Scene) -> Caller:
    return person(scene.owner.user)


@pytest.fixture
def member(team: Team) -> Membership:
    return make_member(team)
