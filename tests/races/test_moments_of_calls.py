"""The moment of what is done is the database's, after all that was waited for, on every road of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from quota.hot_path.bulk import RowResult, record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.extend import Extension, extend
from quota.hot_path.settle import draw, release, settle
from quota.models import UsageEvent
from tests.helpers.citus import not_on_a_cluster
from tests.helpers.factories import USD, Scene
from tests.helpers.hot_path import database_clock
from tests.helpers.races import waiting
from tests.quota.hot_path.test_state_by_the_clock import ONE, ask, scene_of_now

pytestmark = pytest.mark.django_db(transaction=True)

KEY, SEAT = "teams_subscriptionkey", "teams_seat"
Road = Callable[[Scene], Callable[[], datetime]]


def asked(scene: Scene) -> Callable[[], datetime]:
    return lambda: ask(scene, "waits").created_at


def settled(scene: Scene) -> Callable[[], datetime]:
    gateway, call = scene.desk.gateway, ask(scene, "call")
    return lambda: settle(gateway=gateway, reservation_id=call.pk, report=Report(usage=ONE)).event.recorded_at


def drawn(scene: Scene) -> Callable[[], datetime]:
    gateway, lease = scene.desk.gateway, ask(scene, "lease", hold=USD)
    report = Report(usage=ONE, model="penny", draw_id="d")
    return lambda: draw(gateway=gateway, reservation_id=lease.pk, report=report).event.recorded_at


def released(scene: Scene) -> Callable[[], datetime]:
    call = ask(scene, "call")
    return lambda: release(reservation_id=call.pk).closed_at or call.created_at


def lengthened(scene: Scene) -> Callable[[], datetime]:
    call, hours = ask(scene, "call"), timedelta(hours=2)
    by = Extension(lifetime_seconds=7200)
    return lambda: extend(reservation_id=call.pk, extension=by).expires_at - hours


def settled_in_bulk(scene: Scene) -> Callable[[], datetime]:
    row = Settlement(ask(scene, "call").pk, Report(usage=ONE))
    return lambda: recorded(settle_many(gateway=scene.desk.gateway, settlements=[row]))


def reported_in_bulk(scene: Scene) -> Callable[[], datetime]:
    row = ReportedEvent("e", scene.desk.key, "penny", ONE, database_clock())
    return lambda: recorded(record_events(gateway=scene.desk.gateway, events=[row]))


def reported_alone(scene: Scene) -> Callable[[], datetime]:
    # More than the windows have room for is for the road for one.
    row = ReportedEvent("e", scene.desk.key, "penny", {"calls": 2000}, database_clock())
    return lambda: recorded(record_events(gateway=scene.desk.gateway, events=[row]))


def reported_of_a_hold(scene: Scene) -> Callable[[], datetime]:
    call, key = ask(scene, "call"), scene.desk.key
    row = ReportedEvent("e", key, "penny", ONE, database_clock(), reservation_id=call.pk)
    return lambda: recorded(record_events(gateway=scene.desk.gateway, events=[row]))


def recorded(results: Sequence[RowResult]) -> datetime:
    assert [result.is_new for result in results] == [True]
    return UsageEvent.objects.get().recorded_at


ROADS = [asked, settled, drawn, released, lengthened, reported_in_bulk, reported_alone, reported_of_a_hold]


def is_after_the_locks(road: Road, waits_for: str) -> bool:
    """Whether the moment of what is done on this road is later than the one until which it had to wait."""
    scene = scene_of_now()
    work = road(scene)

    def by_another() -> datetime:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as another:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {waits_for} FOR UPDATE")
            moment = another.submit(by_another)
            waiting("", 1)
            locked_until = database_clock()
        return moment.result() > locked_until


@pytest.mark.parametrize(
    ("road", "waits_for"),
    # Many draws lock no key, and leave one whose seat is locked to the road for one.
    [*((road, lock) for road in ROADS for lock in (KEY, SEAT)), (settled_in_bulk, SEAT)],
)
def test_the_moment_is_after_what_a_call_has_waited_for(road: Road, waits_for: str) -> None:
    assert is_after_the_locks(road, waits_for)


@not_on_a_cluster
def test_control_a_clock_that_is_read_before_the_locks_is_seen() -> None:
    now, begin = "v_at := coalesce(p_at, clock_timestamp());", "PERFORM quota_limit_batch();"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('quota_gather_events'::regproc)")
        before = str(cursor.fetchone()[0])
        assert (before.count(now), before.count(begin)) == (1, 1)
        cursor.execute(before.replace(now, "").replace(begin, now + begin))
        try:
            assert not is_after_the_locks(reported_in_bulk, SEAT)
        finally:
            cursor.execute(before)
