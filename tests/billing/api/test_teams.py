"""Deleting a Team by the API."""

from __future__ import annotations

import pytest

from teams.services.keys import recognise_key
from tests.helpers import factories
from tests.helpers.api_client import person
from tests.helpers.factories import T0

pytestmark = pytest.mark.django_db


def test_a_team_is_deleted_by_its_owner_with_every_key_and_not_while_it_has_seats() -> None:
    scene = factories.make_scene()
    path = f"teams/{scene.team.slug}"
    owner = person(scene.owner.user)
    assert owner.delete(path).code == "team_has_live_subscription"
    bare = factories.make_team(owner=scene.owner.user)
    key = factories.key_of(factories.owner_of(bare))
    assert owner.delete(f"teams/{bare.slug}").status == 204
    assert recognise_key(text=key, at=T0) is None
    assert owner.get(f"teams/{bare.slug}").status == 404
    default = scene.owner.user.default_team
    assert owner.delete(f"teams/{default.slug}").code == "default_team_is_personal"
