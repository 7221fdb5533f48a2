"""Rows of one report are charged as if one after another, also where one of them is not for the road for
many: whatever it takes of the room of its seat is taken before what later rows take.
"""

from __future__ import annotations

import pytest

from quota.hot_path.authorize import Authorization
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.models import UsageEvent
from quota.services.entitlements import resume_seat, suspend_seat
from tests.helpers.factories import T0, Scene, give_credits, limits, make_scene
from tests.helpers.hot_path import MINUTE, PENNY, parts

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    """A seat with room for ten cents; Credits pay for what is beyond."""
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    give_credits(scene.team, 100 * PENNY)
    return scene


def last(held: Authorization, calls: int) -> Settlement:
    return Settlement(held.reservation_id, Report(usage={"calls": calls}, model="penny", draw_id="last"))


def test_what_is_drawn_from_a_lease_that_has_ended_is_before_later_rows_of_its_seat(scene: Scene) -> None:
    lease = scene.desk.lease(2 * PENNY)
    suspend_seat(seat=scene.seat, at=T0 + MINUTE, by=None)
    assert scene.desk.draw(lease, 1, at=T0 + 2 * MINUTE).state == "ended"
    resume_seat(seat=scene.seat, at=T0 + 3 * MINUTE, by=None)
    at = T0 + 4 * MINUTE
    call = scene.desk.ask(1, at=at)
    rows = [last(lease, 7), last(call, 5)]
    settle_many(gateway=scene.desk.gateway, settlements=rows, at=at + MINUTE)
    of_lease, of_call = (
        UsageEvent.objects.get(reservation_id=held.reservation_id, draw_id="last") for held in (lease, call)
    )
    # Nobody pays for what comes after the end of the lease, but it fills the windows.
    assert (parts(of_lease), parts(of_call)) == ((0, 0, 7), (2, 3, 0))


def event(scene: Scene, name: str, calls: int, hold: Authorization | None = None) -> ReportedEvent:
    named = hold.reservation_id if hold else None
    return ReportedEvent(name, scene.desk.key, "penny", {"calls": calls}, T0, reservation_id=named)


def test_an_event_that_names_its_hold_is_before_later_ones_of_its_seat(scene: Scene) -> None:
    rows = [event(scene, "a", 7, scene.desk.ask(1)), event(scene, "b", 5)]
    record_events(gateway=scene.desk.gateway, events=rows, at=T0 + MINUTE)
    charged = [parts(UsageEvent.objects.get(external_id=name)) for name in "ab"]
    assert charged == [(7, 0, 0), (3, 2, 0)]
