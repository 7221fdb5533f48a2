"""Leases that are asked for in batches: the same hold as on the road for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quota.hot_path.authorize import Authorization, authorize
from quota.hot_path.batches import LEFT, NotHere
from quota.hot_path.gathered import Ask, authorize_gathered
from quota.hot_path.holds import AuthorizeRequest
from quota.models import Gateway, Reservation
from tests.helpers import citus
from tests.helpers.factories import (
    T0,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_plan,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import PENNY
from tests.helpers.roads import ask, hash_of

pytestmark = [pytest.mark.django_db, citus.not_on_a_cluster]


@pytest.fixture
def road() -> None:
    """Batches only: there is no other road here."""


def lease(scene: Scene, nanousd: int = PENNY, name: str = "lease", **more: Any) -> Ask:
    desk = scene.desk
    return Ask(hash_of(desk.gateway), AuthorizeRequest(name, desk.key, hold_nanousd=nanousd, **more))


def answers(*asks: Ask) -> list[Authorization | NotHere]:
    return authorize_gathered(asks, at=T0)


@pytest.mark.parametrize("charge_hold", [False, True])
@pytest.mark.parametrize("seconds", [None, 90])
def test_the_hold_is_that_of_the_road_for_one(charge_hold: bool, seconds: int | None) -> None:
    alone, many = make_scene(), make_scene()
    times = {"flush_seconds": 77, "charge_hold": charge_hold}
    Gateway.objects.update(**times)
    gateway = Gateway.objects.get(pk=alone.desk.gateway.pk)
    asked = lease(alone, 7 * PENNY, lifetime_seconds=seconds, agent="codex", tags=("a",)).request
    one = authorize(gateway=gateway, request=asked, at=T0)
    (other,) = answers(lease(many, 7 * PENNY, lifetime_seconds=seconds, agent="codex", tags=("a",)))
    assert isinstance(other, Authorization)
    assert [one.windows, one.expires_at, one.from_quota_nanousd] == [
        other.windows,
        other.expires_at,
        other.from_quota_nanousd,
    ]
    differ = {"id", "team_id", "gateway_id", "membership_id", "key_id", "seat_id", "plan_id", "request_hash"}
    first, second = (
        {name: value for name, value in row.items() if name not in differ}
        for row in Reservation.objects.order_by("team_id").values()
    )
    assert first == second
    held = Reservation.objects.get(team=many.team)
    over = held.expires_at + timedelta(seconds=77)
    assert (held.model, held.left_quota_nanousd) == ("", 7 * PENNY)
    assert held.charges_at == over if charge_hold else held.holds_until == over
    assert seconds is None or held.expires_at == T0 + timedelta(seconds=seconds)


def test_what_a_lease_holds_is_missing_to_the_calls_behind_it() -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    found = answers(lease(scene, 9 * PENNY), ask(scene.desk, 2, "too much"), ask(scene.desk, 1, "fits"))
    assert [isinstance(answer, Authorization) for answer in found] == [True, False, True]
    assert sorted(Reservation.objects.values_list("request_id", "left_quota_nanousd")) == [
        ("fits", PENNY),
        ("lease", 9 * PENNY),
    ]


def test_credits_hold_what_the_windows_have_no_room_for() -> None:
    scene = make_scene(limits(2 * PENNY, 100 * PENNY))
    give_credits(scene.team, 10 * PENNY)
    allow_credits(scene.owner)
    (held,) = answers(lease(scene, 5 * PENNY))
    assert isinstance(held, Authorization)
    assert (held.from_quota_nanousd, held.from_credits_nanousd) == (2 * PENNY, 3 * PENNY)
    assert answers(lease(scene, 8 * PENNY, "more")) == [LEFT]
    assert Reservation.objects.get().left_credits_nanousd == 3 * PENNY


def test_what_would_be_refused_is_left() -> None:
    scene = make_scene()
    longer = scene.desk.gateway.max_lifetime_seconds + 1
    assert answers(lease(scene, lifetime_seconds=longer), lease(scene, lifetime_seconds=9)) == [LEFT] * 2
    member = make_member(scene.team)
    make_seat(scene.team, make_plan("strict", agents=(1, 2), agents_enforced=True), holder=member)
    assert answers(lease(replace(scene, desk=make_desk(member)))) == [LEFT]
    assert not Reservation.objects.exists()
