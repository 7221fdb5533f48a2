"""Windows that ended, in history: which rows, with what in them, however often and late the sweep runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import ClosedWindow, Plan
from quota.services.entitlements import entitle_seat
from quota.services.windows_history import close_windows
from quota.windows import Limit, Policy, Rule
from teams.models import Seat
from tests.helpers.factories import T0, USD, Scene, limits, make_plan, make_scene
from tests.helpers.races import race

pytestmark = pytest.mark.django_db

CENT = USD // 100
# T0, 10:02, lies in the tile of five hours that began at 07:00 on this day.
TILE = datetime(2026, 6, 3, 7, tzinfo=UTC)
WEEK = datetime(2026, 6, 1, tzinfo=UTC)
NEXT_WEEK = datetime(2026, 6, 8, tzinfo=UTC)


def rows(seat: Seat) -> list[tuple[str, datetime, datetime, int, int]]:
    closed = ClosedWindow.objects.filter(seat=seat).order_by("name", "starts_at")
    return list(closed.values_list("name", "starts_at", "ends_at", "used_nanousd", "limit_nanousd"))


def use_late(scene: Scene, calls: int, *, occurred_at: datetime, at: datetime) -> None:
    event = ReportedEvent(f"late {occurred_at}", scene.desk.key, "penny", {"calls": calls}, occurred_at)
    (outcome,) = record_events(gateway=scene.desk.gateway, events=[event], at=at)
    assert outcome.is_new


def test_nothing_is_written_before_a_window_has_ended() -> None:
    scene = make_scene()
    scene.desk.use(3)
    assert close_windows(at=TILE + timedelta(hours=5) - timedelta(microseconds=1)) == 0
    assert rows(scene.seat) == []


def test_a_rolling_window_is_kept_in_tiles_and_a_fixed_one_as_it_is() -> None:
    scene = make_scene()
    scene.desk.use(3)
    scene.desk.use(2, at=T0 + timedelta(minutes=30))
    scene.desk.use(7, at=T0 + timedelta(hours=5))
    assert close_windows(at=NEXT_WEEK) == 3
    tile, later = TILE, TILE + timedelta(hours=5)
    assert rows(scene.seat) == [
        ("5h", tile, later, 5 * CENT, 9_900_000_000),
        ("5h", later, later + timedelta(hours=5), 7 * CENT, 9_900_000_000),
        ("week", WEEK, NEXT_WEEK, 12 * CENT, 99_000_000_000),
    ]


def test_a_second_run_changes_nothing() -> None:
    scene = make_scene()
    scene.desk.use(3)
    assert close_windows(at=NEXT_WEEK) == 2
    before = list(ClosedWindow.objects.order_by("pk").values())
    assert close_windows(at=NEXT_WEEK + timedelta(minutes=5)) == 0
    assert list(ClosedWindow.objects.order_by("pk").values()) == before


def test_one_late_run_writes_what_many_timely_ones_would_have() -> None:
    punctual, late = make_scene(), make_scene()
    for day in range(10):
        for scene in (punctual, late):
            scene.desk.use(day + 1, at=T0 + timedelta(days=day))
        close_windows(at=T0 + timedelta(days=day, hours=1))
        ClosedWindow.objects.filter(seat=late.seat).delete()
    close_windows(at=T0 + timedelta(days=17))
    assert rows(punctual.seat) == rows(late.seat)
    assert len(rows(late.seat)) == 10 + 2


def test_a_late_event_rewrites_the_windows_it_occurred_in() -> None:
    scene = make_scene()
    scene.desk.use(3)
    scene.desk.use(1, at=T0 + timedelta(days=1))
    assert close_windows(at=T0 + timedelta(days=6)) == 3
    use_late(scene, 4, occurred_at=T0 + timedelta(minutes=1), at=T0 + timedelta(days=6, hours=23))
    assert close_windows(at=T0 + timedelta(days=7)) == 2
    assert rows(scene.seat)[0][3] == 7 * CENT
    assert rows(scene.seat)[-1][3] == 8 * CENT


def test_the_limit_is_that_of_the_plan_in_force_at_the_windows_end() -> None:
    scene = make_scene()
    scene.desk.use(3)
    upgraded = entitle(scene, make_plan("ultra", limits(24 * USD, 247 * USD)), at=T0 + timedelta(hours=2))
    scene.desk.use(2, at=T0 + timedelta(hours=2))
    close_windows(at=NEXT_WEEK)
    assert [(row[0], row[3], row[4]) for row in rows(scene.seat)] == [
        ("5h", 3 * CENT, 9_900_000_000),
        ("5h", 2 * CENT, upgraded.limits.get(name="5h").limit_nanousd),
        ("week", 5 * CENT, 247 * USD),
    ]


def test_a_window_of_before_its_rule_was_any_plans_is_not_kept() -> None:
    scene = make_scene()
    scene.desk.use(3)
    daily = Limit("day", Rule(Policy.FIXED, 86400, WEEK), USD)
    entitle(scene, make_plan("ultra", [daily]), at=T0 + timedelta(days=3))
    close_windows(at=NEXT_WEEK)
    assert [row[0] for row in rows(scene.seat)] == ["5h", "week"]


def test_a_first_use_window_that_a_late_event_counts_in_is_written_anew() -> None:
    scene = make_scene([Limit("session", Rule(Policy.FIRST_USE, 5 * 3600), 10 * USD)])
    scene.desk.use(1, at=T0 + timedelta(hours=3))
    scene.desk.use(1, at=T0 + timedelta(hours=7))
    close_windows(at=T0 + timedelta(days=1))
    assert [(row[1] - T0, row[3]) for row in rows(scene.seat)] == [(timedelta(hours=3), 2 * CENT)]
    use_late(scene, 5, occurred_at=T0 + timedelta(hours=1), at=T0 + timedelta(days=1))
    close_windows(at=T0 + timedelta(days=1))
    assert [(row[1] - T0, row[3]) for row in rows(scene.seat)] == [
        (timedelta(hours=3), 7 * CENT),
    ]


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_time_write_each_row_once() -> None:
    scene = make_scene()
    for hour in range(0, 60, 5):
        scene.desk.use(1, at=T0 + timedelta(hours=hour))
    changed = race(*[lambda: close_windows(at=NEXT_WEEK)] * 6)
    # Where two meet, one leaves the rest to the other.
    assert sum(int(str(rows)) for rows in changed) == 13
    assert len(rows(scene.seat)) == 13


@pytest.mark.django_db(transaction=True)
def test_a_run_beside_another_leaves_the_work_to_it() -> None:
    scene = make_scene()
    scene.desk.use(1)

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('quota.close_windows'))")
        beside = race(lambda: close_windows(at=NEXT_WEEK))
        cursor.execute("SELECT pg_advisory_unlock(hashtext('quota.close_windows'))")
    assert beside == [0]
    assert close_windows(at=NEXT_WEEK) == 2


def entitle(scene: Scene, plan: Plan, *, at: datetime) -> Plan:
    entitle_seat(seat=scene.seat, plan=plan, starts_at=at, ends_at=None, source=f"{plan}", at=at, by=None)
    return plan
