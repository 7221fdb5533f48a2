"""How full the seats of a Team are, each by its fullest window."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.selectors import seat_fullness as module
from quota.selectors.seat_fullness import Fullness, seat_fullness
from tests.helpers.factories import (
    T0,
    USD,
    Desk,
    Scene,
    key_of,
    limits,
    make_member,
    make_scene,
    make_seat,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    make_scene().desk.use(99)  # another Team
    return make_scene(limits(five_hours=USD, week=10 * USD))


def use_a_seat(scene: Scene, cents: int) -> None:
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    if cents:
        Desk(scene.desk.gateway, key_of(member)).use(cents)


def test_each_held_seat_is_as_full_as_its_fullest_window(scene: Scene) -> None:
    make_seat(scene.team, scene.plan)  # free
    for cents in (1, 49, 50, 79, 80, 99, 100, 100):
        use_a_seat(scene, cents)

    found = seat_fullness(scene.team, T0)

    assert list(found.items()) == [
        (Fullness.FULL, 2),
        (Fullness.NEARLY, 2),
        (Fullness.OVER_HALF, 2),
        (Fullness.UNDER_HALF, 2),
        (Fullness.UNUSED, 1),
    ]
    assert seat_fullness(scene.team, T0 + timedelta(days=14)) == {Fullness.UNUSED: 9}


def test_the_queries_do_not_grow_with_the_seats_and_of_too_many_there_is_no_picture(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SEATS", 3)
    assert seat_fullness(scene.team, T0) == {Fullness.UNUSED: 1}
    with CaptureQueriesContext(connection) as of_one:
        seat_fullness(scene.team, T0)
    for _ in range(2):
        use_a_seat(scene, 0)
    with CaptureQueriesContext(connection) as of_three:
        assert seat_fullness(scene.team, T0) == {Fullness.UNUSED: 3}
    assert len(of_three) == len(of_one)

    use_a_seat(scene, 0)
    assert seat_fullness(scene.team, T0) == {}
