"""What an event's id, or a draw's, stands for, and moments that nobody can have meant."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from quota.errors import EventIdReused, MomentOutOfRange
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.settle import release
from quota.models import Reservation, UsageEvent
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    give_credits,
    key_of,
    make_member,
)
from tests.helpers.hot_path import MINUTE, PENNY, used

pytestmark = pytest.mark.django_db


def test_an_events_id_is_one_in_its_team_whichever_lease_it_names(scene: Scene) -> None:
    member = make_member(scene.team, credits=True)
    give_credits(scene.team, 10 * PENNY)
    desks = [scene.desk, scene.desk, Desk(scene.desk.gateway, key_of(member))]
    leases = [desk.lease(3 * PENNY).reservation_id for desk in desks]
    rows = [
        ReportedEvent("e", desk.key, "penny", {"calls": 1}, T0, reservation_id=lease)
        for desk, lease in zip(desks, leases, strict=True)
    ]
    first, *others = record_events(gateway=scene.desk.gateway, events=rows, at=T0 + MINUTE)
    assert (first.is_new, [type(row.refusal) for row in others]) == (True, [EventIdReused] * 2)
    # The same once more, as an event and as a draw, is the same.
    (again,) = record_events(gateway=scene.desk.gateway, events=rows[:1], at=T0 + MINUTE)
    assert (again.is_new, again.refusal) == (False, None)
    assert UsageEvent.objects.get().reservation_id == leases[0]


@pytest.mark.parametrize("moment", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
def test_a_moment_at_the_end_of_time_is_out_of_range_by_text_and_by_handle(
    scene: Scene, moment: datetime
) -> None:
    named = ReportedEvent("e", scene.desk.key, "penny", {"calls": 1}, moment)
    by_handle = replace(named, key_text="", key_handle=f"kh-{scene.desk.key[6:18]}")
    results = record_events(gateway=scene.desk.gateway, events=[named, by_handle], at=T0)
    assert [type(row.refusal) for row in results] == [MomentOutOfRange] * 2


def test_a_last_draw_that_was_recorded_before_as_one_of_many_closes_the_lease(scene: Scene) -> None:
    held, other = scene.desk.lease(5 * PENNY), scene.desk.lease(3 * PENNY)
    report = Report(usage={"calls": 1}, model="penny", draw_id="x")
    rows = [Settlement(held.reservation_id, report, closes) for closes in (False, True, True)]
    results = settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0 + MINUTE)
    assert [row.is_new for row in results] == [True, False, False]
    row = Reservation.objects.get(pk=held.reservation_id)
    assert (row.state, row.closed_at, used(scene)) == ("settled", T0 + MINUTE, [PENNY, PENNY])
    assert Reservation.objects.get(pk=other.reservation_id).state == "held"


def test_a_last_draw_that_was_recorded_before_leaves_a_lease_as_it_was_let_go(scene: Scene) -> None:
    held = scene.desk.lease(5 * PENNY)
    report = Report(usage={"calls": 1}, model="penny", draw_id="x")
    rows = [Settlement(held.reservation_id, report, closes) for closes in (False, True)]
    settle_many(gateway=scene.desk.gateway, settlements=rows[:1], at=T0 + MINUTE)
    release(reservation_id=held.reservation_id, at=T0 + 2 * MINUTE)
    (again,) = settle_many(gateway=scene.desk.gateway, settlements=rows[1:], at=T0 + 3 * MINUTE)
    assert (again.is_new, again.refusal) == (False, None)
    row = Reservation.objects.get()
    assert (row.state, row.closed_at) == ("released", T0 + 2 * MINUTE)
