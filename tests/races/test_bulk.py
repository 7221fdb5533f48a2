"""Reports at once: none overshoots, and none stands in the other's way for good."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from functools import partial

import pytest

from quota.hot_path import gathered_events
from quota.hot_path.batches import write_charges
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.charges import Charging
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.models import Reservation, UsageEvent
from quota.selectors.reconcile import differences
from tests.helpers import citus
from tests.helpers.databases import database_function_without
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    give_credits,
    key_of,
    limits,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import MINUTE, PENNY
from tests.helpers.races import race
from tests.helpers.roads import note_rows_alone

pytestmark = pytest.mark.django_db(transaction=True)


def members(many: int) -> list[Desk]:
    """Members of one Team, each with a seat."""
    scene = make_scene()
    desks = [scene.desk]
    for _ in range(many - 1):
        member = make_member(scene.team)
        make_seat(scene.team, scene.plan, holder=member)
        desks.append(Desk(scene.desk.gateway, key_of(member)))
    return desks


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A note for each row that goes alone."""
    return note_rows_alone(monkeypatch)


@citus.not_on_a_cluster
def test_reports_about_the_same_keys_in_other_orders_are_recorded_one_after_another(
    alone: list[object],
) -> None:
    desks = members(12)
    gateway = desks[0].gateway

    def report(number: int, order: Sequence[Desk]) -> list[bool]:
        rows = [
            ReportedEvent(f"{number} {turn} {place}", desk.key, "penny", {"calls": 1}, T0)
            for turn in range(3)
            for place, desk in enumerate(order)
        ]
        return [row.is_new for row in record_events(gateway=gateway, events=rows, at=T0)]

    for number in range(0, 10, 2):
        runners = partial(report, number, desks), partial(report, number + 1, desks[::-1])
        assert race(*runners) == [[True] * 36] * 2
    assert (UsageEvent.objects.count(), alone) == (360, [])
    assert not list(differences(T0))


def two_reports_about_one_seat() -> Scene:
    """Both have decided before the other writes, unless one has to wait for the other."""
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    give_credits(scene.team, 100 * PENNY)
    meeting = threading.Barrier(2)

    def write_together(charged: Sequence[Charging], at: datetime) -> None:
        with suppress(threading.BrokenBarrierError):  # the other one waits for our locks
            meeting.wait(0.5)
        write_charges(charged, at)

    def report(name: str) -> list[bool]:
        rows = [ReportedEvent(name, scene.desk.key, "penny", {"calls": 6}, T0)]
        return [row.is_new for row in record_events(gateway=scene.desk.gateway, events=rows, at=T0)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathered_events, "write_charges", write_together)
        assert race(lambda: report("a"), lambda: report("b")) == [[True]] * 2
    return scene


def paid(scene: Scene) -> tuple[int, int]:
    """Cents that quota and Credits paid in all."""
    events = UsageEvent.objects.filter(team=scene.team)
    quota = sum(event.from_quota_nanousd for event in events)
    return quota // PENNY, sum(event.from_credits_nanousd for event in events) // PENNY


def events_that_lock_nothing() -> AbstractContextManager[None]:
    return database_function_without("quota_gather_events", "FOR NO KEY UPDATE", times=2)


@citus.not_on_a_cluster
def test_control_reports_that_lock_nothing_take_the_same_room() -> None:
    with events_that_lock_nothing():
        scene = two_reports_about_one_seat()
    assert paid(scene) == (12, 0)


def test_of_two_reports_about_one_seat_the_second_finds_the_room_that_the_first_has_left() -> None:
    assert paid(two_reports_about_one_seat()) == (10, 2)


def test_draws_of_one_lease_by_two_reports_are_all_charged_once() -> None:
    scene = make_scene()
    held = scene.desk.lease(30 * PENNY)

    def draw(number: int) -> list[bool]:
        # The last five were sent by both.
        names = [f"{number} {place}" for place in range(10)] + [f"both {place}" for place in range(5)]
        reports = [Report(usage={"calls": 1}, model="penny", draw_id=name) for name in names]
        rows = [Settlement(held.reservation_id, report, closes=False) for report in reports]
        results = settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0 + MINUTE)
        assert not any(row.refusal for row in results)
        return [row.is_new for row in results]

    results = race(lambda: draw(1), lambda: draw(2))
    new = [row for rows in results if isinstance(rows, list) for row in rows]
    assert (len(new), sum(new), UsageEvent.objects.count()) == (30, 25, 25)
    row = Reservation.objects.get()
    assert (row.left_quota_nanousd, row.state) == (5 * PENNY, "held")
    assert not list(differences(T0 + MINUTE))
