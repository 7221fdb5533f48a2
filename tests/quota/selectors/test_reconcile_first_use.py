"""History of windows that open at their first use, against the charges that count in them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import ClosedWindow, UsageEvent
from quota.selectors.reconcile import Touched, differences, differences_of_sums
from quota.services.corrections import correct_charge
from quota.services.entitlements import entitle_seat
from quota.services.windows_history import close_windows
from quota.windows import Limit, Policy, Rule
from tests.helpers.drift import named, plant
from tests.helpers.factories import T0, USD, Scene, limits, make_plan, make_scene

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SESSION = Limit("session", Rule(Policy.FIRST_USE, 5 * 3600), USD)
IN_THE_MORNING = "2026-06-03T10:02:00+00:00"
IN_THE_EVENING = "2026-06-03T18:02:00+00:00"


def found() -> list[str]:
    return [str(difference) for difference in differences(T0 + HOUR)]


def two_sessions() -> tuple[Scene, str]:
    """Of a seat, each in history; and what a check calls those."""
    scene = make_scene([SESSION])
    scene.desk.use(5)
    scene.desk.use(7, at=T0 + 8 * HOUR)
    close_windows(at=T0 + DAY)
    assert (ClosedWindow.objects.count(), found()) == (2, [])
    return scene, f"closed window of {named(scene.seat)}, first_use/18000, from "


def report(scene: Scene, calls: int, *, ago: timedelta, at: timedelta) -> UsageEvent:
    event = ReportedEvent(f"{at}", scene.desk.key, "penny", {"calls": calls}, T0 + at - ago)
    (result,) = record_events(gateway=scene.desk.gateway, events=[event], at=T0 + at)
    assert result.is_new
    return UsageEvent.objects.get(external_id=f"{at}")


def test_an_amount_in_history_that_was_changed_is_found() -> None:
    _scene, about = two_sessions()
    plant("UPDATE quota_closedwindow SET used_nanousd = used_nanousd + 1 WHERE starts_at = %s", T0)
    assert found() == [f"{about}{IN_THE_MORNING}: 50000000 expected, 50000001 found"]


def test_a_beginning_in_history_that_was_changed_is_found() -> None:
    _scene, about = two_sessions()
    plant("UPDATE quota_closedwindow SET starts_at = starts_at + interval '1 s' WHERE starts_at = %s", T0)
    assert found() == [
        f"{about}{IN_THE_MORNING}: 50000000 expected, none found",
        f"{about}2026-06-03T10:02:01+00:00: none expected, 50000000 found",
    ]


def test_an_end_in_history_that_was_changed_is_found() -> None:
    _scene, about = two_sessions()
    plant("UPDATE quota_closedwindow SET ends_at = ends_at + interval '1 s' WHERE starts_at = %s", T0)
    assert found() == [
        f"end of {about}{IN_THE_MORNING}: 2026-06-03T15:02:00+00:00 expected, 2026-06-03T15:02:01+00:00 found"
    ]


@pytest.mark.parametrize("nanousd", [0, 7])
def test_a_window_that_was_added_to_history_is_found(nanousd: int) -> None:
    _scene, about = two_sessions()
    plant(
        "INSERT INTO quota_closedwindow"
        " (team_id, seat_id, name, rule, starts_at, ends_at, limit_nanousd, used_nanousd, written_at)"
        " SELECT team_id, seat_id, name, rule, starts_at - interval '1 day', ends_at - interval '1 day',"
        " limit_nanousd, %s, written_at FROM quota_closedwindow WHERE starts_at = %s",
        nanousd,
        T0,
    )
    assert found() == [f"{about}2026-06-02T10:02:00+00:00: none expected, {nanousd} found"]


def test_a_window_that_is_missing_in_history_is_found() -> None:
    _scene, about = two_sessions()
    plant("DELETE FROM quota_closedwindow WHERE starts_at = %s", T0)
    assert found() == [f"{about}{IN_THE_MORNING}: 50000000 expected, none found"]


def test_history_of_a_rule_that_no_plan_of_the_seat_has_is_found() -> None:
    scene, about = two_sessions()
    plant("UPDATE quota_closedwindow SET rule = 'first_use/60' WHERE starts_at = %s", T0)
    stray = f"closed window of {named(scene.seat)}, first_use/60, from {IN_THE_MORNING}"
    assert sorted(found()) == [
        f"{about}{IN_THE_MORNING}: 50000000 expected, none found",
        f"{stray}: none expected, 50000000 found",
    ]


def test_what_is_compared_lies_around_new_charges() -> None:
    scene, about = two_sessions()
    plant("UPDATE quota_closedwindow SET used_nanousd = used_nanousd + 1 WHERE starts_at = %s", T0)
    plant("UPDATE quota_closedwindow SET used_nanousd = 1 WHERE starts_at = %s", T0 + 8 * HOUR)
    new = Touched(scene.seat.pk, T0 + 9 * HOUR, T0 + 9 * HOUR)
    lines = [str(difference) for difference in differences_of_sums("seat", [new])]
    assert lines == [f"{about}{IN_THE_EVENING}: 70000000 expected, 1 found"]


def test_history_that_is_not_written_yet_is_no_difference() -> None:
    scene = make_scene([SESSION])
    scene.desk.use(5)
    assert found() == []
    close_windows(at=T0 + DAY)
    assert found() == []
    report(scene, 1, ago=22 * HOUR, at=DAY)
    scene.desk.use(1, at=T0 + DAY + HOUR)
    assert found() == []
    close_windows(at=T0 + DAY + 2 * HOUR)
    assert (ClosedWindow.objects.count(), found()) == (1, [])
    close_windows(at=T0 + 2 * DAY)
    assert (ClosedWindow.objects.count(), found()) == (2, [])


def test_late_usage_that_history_was_to_have_read_is_missed() -> None:
    scene, about = two_sessions()
    report(scene, 1, ago=22 * HOUR, at=DAY)
    close_windows(at=T0 + DAY + HOUR)
    assert found() == []
    plant("UPDATE quota_closedwindow SET used_nanousd = 50000000 WHERE starts_at = %s", T0)
    assert found() == [f"{about}{IN_THE_MORNING}: 60000000 expected, 50000000 found"]


def test_a_window_whose_charges_were_all_undone_is_not_in_history() -> None:
    two_sessions()
    first = UsageEvent.objects.get(occurred_at=T0)
    correct_charge(event=first, usage=None, reason="x", at=T0 + DAY, by=None)
    assert found() == []
    close_windows(at=T0 + DAY + HOUR)
    assert (ClosedWindow.objects.count(), found()) == (1, [])


def test_windows_that_ended_before_a_plan_had_the_rule_are_not_in_history() -> None:
    scene = make_scene(limits(USD, 10 * USD))
    scene.desk.use(5)
    scene.desk.use(5, at=T0 + 7 * HOUR)
    at = T0 + 8 * HOUR
    plan = make_plan("ultra", [SESSION])
    entitle_seat(seat=scene.seat, plan=plan, starts_at=at, ends_at=None, source="x", at=at, by=None)
    scene.desk.use(5, at=T0 + 9 * HOUR)
    close_windows(at=T0 + 8 * DAY)
    assert ClosedWindow.objects.filter(rule=SESSION.rule.key).count() == 1
    assert found() == []
