"""A Team's seats for people: listed, given, moved and freed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from teams.models import Membership, Team
from tests.helpers import factories
from tests.helpers.api_client import Caller
from tests.helpers.factories import T0

CENT = 10_000_000


def test_seats_are_listed_with_plan_holder_and_windows(
    scene: factories.Scene, team: Team, owner: Caller
) -> None:
    scene.desk.use(99)
    free = factories.make_seat(team, scene.plan)
    rows = owner.get(f"teams/{team.slug}/seats").body["results"]
    assert [(row["id"], row["holder"] and row["holder"]["id"]) for row in rows] == [
        (scene.seat.pk, scene.owner.pk),
        (free.pk, None),
    ]
    assert rows[0]["plan"] == {"code": "max", "name": "Max", "version": 1}
    assert [window["used_nanousd"] for window in rows[0]["windows"]] == [99 * CENT, 99 * CENT]
    assert owner.get(f"teams/{team.slug}/seats/{free.pk}").body == rows[1]


def test_a_seat_goes_from_hand_to_hand_with_its_usage(
    scene: factories.Scene, team: Team, owner: Caller, member: Membership, clock: time_machine.Traveller
) -> None:
    seat = f"teams/{team.slug}/seats/{scene.seat.pk}"
    scene.desk.use(5)
    assert owner.post(f"{seat}/assign", {"member": member.pk}).code == "seat_taken"
    clock.shift(timedelta(hours=1))
    moved = owner.post(f"{seat}/move", {"member": member.pk})
    assert (moved.status, moved.body["holder"]["id"]) == (200, member.pk)
    assert moved.body["windows"][0]["used_nanousd"] == 5 * CENT
    factories.make_seat(team, scene.plan, holder=scene.owner)
    assert owner.post(f"{seat}/move", {"member": scene.owner.pk}).code == "member_has_seat"
    factories.make_desk(member).use(2, at=T0 + timedelta(hours=1, minutes=1))
    clock.shift(timedelta(hours=1))
    assert owner.post(f"{seat}/free").body["holder"] is None
    assert owner.post(f"{seat}/free").code == "seat_not_held"
    third = factories.make_member(team)
    assert owner.post(f"{seat}/assign", {"member": third.pk}).status == 200
    holders = owner.get(f"{seat}/holders").body
    assert [(row["member"]["id"], row["ended_at"], row["used_nanousd"]) for row in holders] == [
        (third.pk, None, 0),
        (member.pk, "2026-06-03T12:02:00Z", 2 * CENT),
        (scene.owner.pk, "2026-06-03T11:02:00Z", 5 * CENT),
    ]


@pytest.mark.parametrize("value", [0, -1, 2**63, 2**70, "x", None, 1.5, [], {}])
def test_a_seat_is_given_to_a_member_of_this_team_alone(
    scene: factories.Scene, team: Team, owner: Caller, value: Any
) -> None:
    stranger = factories.owner_of(factories.make_team())
    seat = f"teams/{team.slug}/seats/{scene.seat.pk}"
    answer = owner.post(f"{seat}/move", {"member": value})
    assert (answer.status, answer.body["pointer"]) == (422, "/member")
    answer = owner.post(f"{seat}/move", {"member": stranger.pk})
    assert (answer.status, answer.code, answer.body["pointer"]) == (404, "not_found", "/member")
    other_seat = factories.make_seat(stranger.team)
    for pk in (other_seat.pk, 2**63, 2**70):
        assert owner.post(f"teams/{team.slug}/seats/{pk}/free").status == 404
    assert scene.seat.holdings.current().get().membership == scene.owner
