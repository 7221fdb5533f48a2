"""Has a key been used yet?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.selectors.key_use import key_use
from quota.services.corrections import correct_charge
from teams.services.keys import rotate_key
from tests.helpers.factories import T0, Desk, Scene, key_of

pytestmark = pytest.mark.django_db


def test_a_new_key_is_not_used(scene: Scene) -> None:
    use = key_use(scene.owner)

    assert (use.key, use.charge, use.is_used) == (scene.owner.keys.get(), None, False)


def test_a_call_uses_it_before_it_is_charged(scene: Scene) -> None:
    before = key_use(scene.owner).state
    call = scene.desk.ask(1)
    asked = key_use(scene.owner)
    assert (asked.is_used, asked.charge) == (True, None)

    event = scene.desk.settle(call, 1)

    charged = key_use(scene.owner)
    assert charged.charge == event
    assert len({before, asked.state, charged.state}) == 3
    assert key_use(scene.owner).state == charged.state


def test_the_last_call_is_shown(scene: Scene) -> None:
    scene.desk.use(1, at=T0)
    last = scene.desk.use(2, at=T0 + timedelta(minutes=1))
    assert key_use(scene.owner).charge == last


def test_a_rotated_key_begins_anew(scene: Scene) -> None:
    scene.desk.use(1)
    rotate_key(membership=scene.owner, overlap=timedelta(0), at=T0, by=scene.owner.user)

    use = key_use(scene.owner)
    assert (use.is_used, use.charge) == (False, None)

    event = Desk(scene.desk.gateway, key_of(scene.owner)).use(1, at=T0 + timedelta(seconds=1))
    assert key_use(scene.owner).charge == event


def test_a_later_call_of_the_old_key_does_not_hide_the_call_of_the_new_one(scene: Scene) -> None:
    rotate_key(membership=scene.owner, overlap=timedelta(hours=1), at=T0, by=scene.owner.user)
    event = Desk(scene.desk.gateway, key_of(scene.owner)).use(1, at=T0 + timedelta(seconds=1))
    scene.desk.use(2, at=T0 + timedelta(seconds=2))

    assert key_use(scene.owner).charge == event


def test_a_charge_that_took_the_place_of_another_is_the_latest_and_what_undid_that_is_no_call(
    scene: Scene,
) -> None:
    event = scene.desk.use(5)
    right = correct_charge(
        event=event, usage={"calls": 2}, reason="x", at=T0 + timedelta(hours=1), by=None
    ).right
    assert key_use(scene.owner).charge == right
