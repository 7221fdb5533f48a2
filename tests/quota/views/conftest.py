"""The fixtures of every folder that tests pages, and a Team that was used."""

from datetime import timedelta

import pytest

from tests.helpers.factories import (
    CREDIT,
    T0,
    Scene,
    give_credits,
    make_desk,
    make_member,
    make_scene,
    make_user,
)
from tests.helpers.page_fixtures import account, as_user, at_t0, nothing_enqueued

__all__ = ["account", "as_user", "at_t0", "nothing_enqueued", "used"]


@pytest.fixture
def used() -> Scene:
    """For three days a Team, whose Owner's calls the seat pays, and whose member's the Credits do."""
    scene = make_scene(at=T0 - timedelta(days=3))
    mia = make_member(scene.team, make_user("mia@example.com"), credits=True, at=T0 - timedelta(days=3))
    give_credits(scene.team, 5000 * CREDIT, at=T0 - timedelta(days=3))
    scene.desk.use(100, at=T0 - timedelta(days=2))
    scene.desk.use(7)
    make_desk(mia).use(3)
    return scene
