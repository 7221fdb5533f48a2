"""One call or one id that comes twice at once: it is held, and it counts, once.

Each race opens with a control: without what keeps it, both go through, or one of them fails.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection

from quota.errors import EventIdReused, RequestIdReused
from quota.hot_path import authorize as authorize_module
from quota.hot_path import bulk, gathered_events
from quota.hot_path import draws as draws_module
from quota.hot_path import events as events_module
from quota.hot_path import state as state_module
from quota.hot_path.batches import write_charges
from quota.hot_path.bulk import record_events
from quota.hot_path.charges import Charging, record_charge
from quota.hot_path.draws import Report
from quota.hot_path.events import ReportedEvent
from quota.hot_path.settle import settle
from quota.models import Reservation, UsageEvent
from quota.selectors.usage_bar import usage_bar
from tests.helpers.databases import database_function_without
from tests.helpers.factories import T0, Desk, Scene, key_of, make_member, make_scene, make_seat
from tests.helpers.hot_path import PENNY
from tests.helpers.races import race
from tests.helpers.roads import go_alone

pytestmark = pytest.mark.django_db(transaction=True)


def allowed(results: list[Any]) -> list[Any]:
    return [result for result in results if not isinstance(result, Exception)]


def asked_by_two_keys_race(request_id: str) -> list[Any]:
    """What two members get when one gateway gives both of their calls the same request_id."""
    scene = make_scene()
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    desks = [scene.desk, Desk(scene.desk.gateway, key_of(member))]
    for desk in desks:
        desk.use(1)  # marks the key as used
    meeting = threading.Barrier(2)
    write = authorize_module._write

    def write_together(*arguments: Any) -> bool:
        meeting.wait(30)  # both have been told that nobody asked before
        return write(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authorize_module, "_write", write_together)
        return race(*[lambda desk=desk: desk.ask(3, request_id=request_id) for desk in desks])


def test_control_two_keys_with_one_request_id_both_find_it_unused() -> None:
    with database_function_without("quota_write_hold", "ON CONFLICT (team_id, request_id) DO NOTHING"):
        results = asked_by_two_keys_race("one")
    assert len(allowed(results)) == 1
    assert [type(result) for result in results if isinstance(result, Exception)] == [IntegrityError]


def test_of_two_keys_with_one_request_id_at_once_the_second_is_refused() -> None:
    results = asked_by_two_keys_race("one")
    assert len(allowed(results)) == 1
    assert [type(result) for result in results if isinstance(result, Exception)] == [RequestIdReused]
    assert Reservation.objects.filter(request_id="one").count() == 1


def reported_under_two_keys_race(*, at_once: bool) -> tuple[list[list[Any]], Scene]:
    """What two batches get whose second rows are of two members and have the same event id."""
    scene = make_scene()
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    desks = [scene.desk, Desk(scene.desk.gateway, key_of(member))]
    meeting = threading.Barrier(2)

    def charge_together(**arguments: Any) -> UsageEvent:
        if arguments["call"].external_id == "one":
            meeting.wait(30)  # both have found that nobody reported it before
        return record_charge(**arguments)

    def report(number: int) -> list[Any]:
        key = desks[number].key
        names = [f"before {number}", "one", f"after {number}"]
        rows = [ReportedEvent(name, key, "penny", {"calls": 1}, T0) for name in names]
        outcomes = record_events(gateway=scene.desk.gateway, events=rows, at=T0)
        return [type(outcome.refusal) if outcome.refusal else outcome.is_new for outcome in outcomes]

    def write_together(charged: Sequence[Charging], at: datetime) -> None:
        meeting.wait(30)
        write_charges(charged, at)

    with pytest.MonkeyPatch.context() as patch:
        if at_once:
            patch.setattr(gathered_events, "write_charges", write_together)
        else:
            go_alone(patch)
            patch.setattr(events_module, "record_charge", charge_together)
        outcomes = race(lambda: report(0), lambda: report(1))
        return [outcome for outcome in outcomes if isinstance(outcome, list)], scene


def test_control_two_keys_with_one_event_id_both_find_it_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "broken_constraint", lambda error: "")  # as before it was told apart
    results, _ = reported_under_two_keys_race(at_once=False)
    assert sorted(results, key=str) == [[True, IntegrityError, True], [True, True, True]]


@pytest.mark.parametrize("at_once", [False, True])
def test_of_two_keys_with_one_event_id_at_once_one_row_is_refused_alone(at_once: bool) -> None:
    results, scene = reported_under_two_keys_race(at_once=at_once)
    assert sorted(results, key=str) == [[True, EventIdReused, True], [True, True, True]]
    assert UsageEvent.objects.count() == 5
    assert UsageEvent.objects.filter(gateway=scene.desk.gateway, external_id="one").count() == 1


def an_event_and_a_settle(scene: Scene) -> list[Callable[[], Any]]:
    """Both for one call; each says whether it charged it, or what it raised."""
    held = scene.desk.ask(3)
    event = ReportedEvent(
        str(held.reservation_id),
        scene.desk.key,
        "penny",
        {"calls": 2},
        T0,
        reservation_id=held.reservation_id,
    )

    def report() -> Any:
        (row,) = record_events(gateway=scene.desk.gateway, events=[event], at=T0)
        return row.refusal or row.is_new

    def settled() -> Any:
        report = Report(usage={"calls": 2})
        return settle(
            gateway=scene.desk.gateway, reservation_id=held.reservation_id, report=report, at=T0
        ).is_new

    return [report, settled]


@contextmanager
def reservations_that_nothing_locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The function that reads a reservation, without its locks, under another name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('quota_reservation_state'::regproc)")
        (source,) = cursor.fetchone()
        assert source.count("FOR NO KEY UPDATE") == 4
        name = "quota_reservation_state_unlocked"
        source = source.replace("quota_reservation_state", name).replace("FOR NO KEY UPDATE", "")
        cursor.execute(source.replace("quota_reservation_state_unlocked_unlocked", name))
    statement = state_module._RESERVATION_STATE.replace("quota_reservation_state", name)
    monkeypatch.setattr(state_module, "_RESERVATION_STATE", statement)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP FUNCTION {name}")


def test_control_without_the_reservations_lock_an_event_and_a_settle_both_charge_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both try to: only the database's unique key is left between them, and it answers with a 500."""
    scene = make_scene()
    meeting = threading.Barrier(2)

    def charge_together(**arguments: Any) -> UsageEvent:
        meeting.wait(30)
        return record_charge(**arguments)

    monkeypatch.setattr(draws_module, "record_charge", charge_together)
    with reservations_that_nothing_locks(monkeypatch):
        results = race(*an_event_and_a_settle(scene))
    assert [type(result) for result in results if result is not True] == [IntegrityError]


def test_an_event_and_a_settle_of_one_call_at_once_count_once() -> None:
    scene = make_scene()
    for number in range(1, 21):
        results = race(*an_event_and_a_settle(scene))
        assert sorted(results, key=str) == [False, True]
        assert usage_bar(scene.owner, T0).windows[0].used == 2 * number * PENNY
