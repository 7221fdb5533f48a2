"""Draws of one report: each sees what those before have left of the hold and of the windows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from quota.errors import EventIdReused
from quota.hot_path.bulk import RowResult, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.models import Reservation, UsageEvent
from tests.helpers import citus
from tests.helpers.factories import T0, Scene, give_credits, limits, make_scene
from tests.helpers.hot_path import HOUR, PENNY, left, windows_after, windows_before
from tests.helpers.roads import fail_where_rows_break, note_rows_alone

pytestmark = [pytest.mark.django_db, citus.not_on_a_cluster]


@pytest.fixture
def road(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the room's: here it is seen which road a row goes."""
    fail_where_rows_break(monkeypatch)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A note for each row that goes alone."""
    return note_rows_alone(monkeypatch)


def draw(hold: UUID, name: str, calls: int, *, closes: bool = False) -> Settlement:
    return Settlement(hold, Report(usage={"calls": calls}, model="penny", draw_id=name), closes=closes)


def shown(name: str) -> list[list[tuple[int, int]]]:
    """Of the draw: what the 5-hour window had used and held before it and after it, in cents."""
    event = UsageEvent.objects.get(draw_id=name)
    windows = windows_before(event)[0], windows_after(event)[0]
    return [[(window.used // PENNY, window.held // PENNY) for window in windows]]


def test_a_draw_finds_the_windows_and_the_hold_as_the_one_before_has_left_them(alone: list[Any]) -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    lease = scene.desk.lease(10 * PENNY).reservation_id
    rows = [draw(lease, "a", 6), draw(lease, "b", 3), draw(lease, "c", 1)]
    assert settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0) == [RowResult(is_new=True)] * 3
    assert shown("a") + shown("b") + shown("c") == [[(0, 10), (6, 4)], [(6, 4), (9, 1)], [(9, 1), (10, 0)]]
    assert alone == []


def test_what_is_left_of_a_hold_is_not_paid_twice(alone: list[Any]) -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    lease = scene.desk.lease(10 * PENNY).reservation_id
    rows = [draw(lease, "a", 6), draw(lease, "b", 6)]
    assert settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0) == [RowResult(is_new=True)] * 2
    paid = dict(UsageEvent.objects.values_list("draw_id", "from_quota_nanousd"))
    assert paid == {"a": 6 * PENNY, "b": 4 * PENNY}
    assert (shown("b"), alone) == ([[(6, 4), (12, 0)]], rows[1:])


def test_of_held_credits_no_more_is_given_back_than_is_held(alone: list[Any]) -> None:
    scene = make_scene(limits(6 * PENNY, 100 * PENNY))
    give_credits(scene.team, 4 * PENNY)
    scene.desk.use(5)
    lease = scene.desk.lease(5 * PENNY, seconds=86_400)
    assert left(lease) == (1, 4, "held")
    now = T0 + 6 * HOUR  # the window is empty again, and pays all of it
    rows = [draw(lease.reservation_id, "a", 3), draw(lease.reservation_id, "b", 3)]
    assert settle_many(gateway=scene.desk.gateway, settlements=rows, at=now) == [RowResult(is_new=True)] * 2
    assert (left(lease), alone) == ((0, 0, "held"), [])


def test_after_the_last_draw_of_a_hold_its_room_is_free_for_those_that_follow(alone: list[Any]) -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    first, second = (scene.desk.lease(5 * PENNY).reservation_id for _ in range(2))
    rows = [draw(first, "a", 1, closes=True), draw(second, "b", 9)]
    assert settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0) == [RowResult(is_new=True)] * 2
    assert (shown("b"), alone) == ([[(1, 5), (10, 0)]], [])


def test_the_same_draw_twice_in_one_report_is_charged_once_and_goes_no_other_road(
    scene: Scene, alone: list[Any]
) -> None:
    lease = scene.desk.lease(10 * PENNY).reservation_id
    rows = [draw(lease, "a", 1), draw(lease, "a", 1)]
    found = settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0)
    assert found == [RowResult(is_new=True), RowResult()]
    assert (UsageEvent.objects.count(), alone) == (1, [])


def test_another_draw_under_an_id_of_the_same_report_is_refused(scene: Scene) -> None:
    lease = scene.desk.lease(10 * PENNY).reservation_id
    rows = [draw(lease, "a", 1), draw(lease, "a", 2)]
    first, second = settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0)
    assert (first.is_new, type(second.refusal)) == (True, EventIdReused)
    assert Reservation.objects.get().left_quota_nanousd == 9 * PENNY


def test_usage_is_read_as_far_as_the_latest_hold_of_a_seat_needs_it(alone: list[Any]) -> None:
    """A call counts when it was authorized, a draw when it is reported: hours later on the same seat."""
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    call = scene.desk.ask(1)
    lease = scene.desk.lease(2 * PENNY, seconds=86_400).reservation_id
    later = T0 + 6 * HOUR
    scene.desk.use(7, at=later)
    rows = [Settlement(call.reservation_id, Report(usage={"calls": 1})), draw(lease, "later", 1)]
    now = later + timedelta(minutes=1)
    found = settle_many(gateway=scene.desk.gateway, settlements=rows, at=now)
    assert (found, alone) == ([RowResult(is_new=True)] * 2, [])
    assert shown("later") == [[(7, 2), (8, 1)]]
