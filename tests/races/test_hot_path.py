"""Many at once, over real connections: limits hold to the nano-dollar.

Each kind of race opens with a control: the same code without its lock, held open at the critical moment,
oversells. So the tests that follow would see it.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models import Sum

from quota.errors import NoUsableResources, QuotaExhausted, UsageOwed
from quota.hot_path import authorize as authorize_module
from quota.hot_path import bulk
from quota.hot_path import state as state_module
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.settle import release
from quota.models import (
    CreditGrant,
    CreditLedgerEntry,
    CreditMonth,
    Reservation,
    UsageBucket,
    UsageEvent,
)
from quota.selectors.usage_bar import usage_bar
from teams.models import Seat
from tests.helpers.factories import (
    T0,
    USD,
    Desk,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_scene,
)
from tests.helpers.races import waiting

pytestmark = pytest.mark.django_db(transaction=True)

PENNY = 10_000_000
MANY = 200


def at_once(*work: Callable[[], Any]) -> list[Any]:
    """Run each in its own thread with its own connection, all from the same moment; their results or
    refusals.
    """
    start = threading.Barrier(len(work))

    def run(one: Callable[[], Any]) -> Any:
        try:
            start.wait(30)
            return one()
        except (QuotaExhausted, NoUsableResources, UsageOwed) as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(run, one) for one in work]]


def allowed(results: list[Any]) -> list[Any]:
    return [result for result in results if not isinstance(result, Exception)]


def held_open(desk: Desk, calls: int, meeting: threading.Barrier) -> Callable[[], Any]:
    """An authorize whose transaction stays open until the other has decided too."""

    def ask() -> Any:
        with transaction.atomic():
            answer = desk.ask(calls)
            meeting.wait(30)
            return answer

    return ask


def test_control_without_the_seats_lock_two_calls_take_the_same_room(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene()
    monkeypatch.setattr(state_module, "_CALL_STATE", state_module._CALL_STATE.replace("%(lock)s", "false"))
    scene.desk.use(1)  # marks the key as used, so that no call has to, which would lock it
    meeting = threading.Barrier(2)
    results = at_once(held_open(scene.desk, 600, meeting), held_open(scene.desk, 600, meeting))
    assert len(allowed(results)) == 2
    assert usage_bar(scene.owner, T0).windows[0].room == -211 * PENNY


def test_two_hundred_calls_at_once_never_exceed_the_seat() -> None:
    scene = make_scene(limits(five_hours=100 * PENNY + 1, week=USD * 10))
    results = at_once(*[lambda: scene.desk.ask(3) for _ in range(MANY)])
    assert len(allowed(results)) == 33
    assert {type(result) for result in results if isinstance(result, Exception)} == {QuotaExhausted}
    held = Reservation.objects.aggregate(total=Sum("from_quota_nanousd"))["total"]
    assert held == 99 * PENNY
    # The odd nano-dollar is there to be had, and no more than it.
    assert scene.desk.ask(PENNY + 1, model="nano").from_quota_nanousd == PENNY + 1
    assert usage_bar(scene.owner, T0).windows[0].room == 0
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(1, model="nano")


def test_control_without_the_lots_lock_two_members_take_the_same_credits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = make_scene()
    give_credits(scene.team, 10 * PENNY)
    desks = [make_desk(make_member(scene.team, credits=True)) for _ in range(2)]
    monkeypatch.setattr(authorize_module, "_WRITE", authorize_module._WRITE.replace("%(lock)s", "false"))
    meeting = threading.Barrier(2)
    results = at_once(*[held_open(desk, 6, meeting) for desk in desks])
    assert len(allowed(results)) == 2
    assert Reservation.objects.aggregate(total=Sum("from_credits_nanousd"))["total"] == 12 * PENNY


@pytest.mark.slow
def test_two_hundred_calls_at_once_never_exceed_a_shared_pool() -> None:
    scene = make_scene()
    give_credits(scene.team, 60 * PENNY)
    give_credits(scene.team, 41 * PENNY)
    desks = [make_desk(make_member(scene.team, credits=True)) for _ in range(8)]
    results = at_once(*[(lambda desk=desks[i % 8]: desk.ask(2)) for i in range(MANY)])
    assert len(allowed(results)) == 50
    assert {type(result) for result in results if isinstance(result, Exception)} == {NoUsableResources}
    assert Reservation.objects.aggregate(total=Sum("from_credits_nanousd"))["total"] == 100 * PENNY


@pytest.mark.slow
def test_two_hundred_calls_at_once_never_exceed_a_members_cap() -> None:
    scene = make_scene()
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    allow_credits(member, month_cap=31 * PENNY)
    desk = make_desk(member)
    results = at_once(*[lambda: desk.use(2) for _ in range(MANY)])
    assert len(allowed(results)) == 15
    assert CreditMonth.objects.get(membership=member).used_nanousd == 30 * PENNY


def test_charges_at_once_leave_no_window_and_no_lot_overdrawn_and_the_books_balanced() -> None:
    scene = make_scene(limits(five_hours=USD, week=10 * USD))
    give_credits(scene.team, 30 * PENNY)
    give_credits(scene.team, 30 * PENNY)
    desks = [scene.desk, *[make_desk(make_member(scene.team, credits=True)) for _ in range(3)]]

    def call(i: int) -> Any:
        desk = desks[i % len(desks)]
        if i % 7 == 0:
            event = ReportedEvent(f"late {i}", desk.key, "penny", {"calls": 1}, T0)
            return record_events(gateway=desk.gateway, events=[event], at=T0)
        answer = desk.ask(2)
        if i % 5 == 0:
            return release(reservation_id=answer.reservation_id, at=T0)
        return desk.settle(answer, 1 + i % 3)

    at_once(*[(lambda i=i: call(i)) for i in range(MANY)])
    events = UsageEvent.objects.filter(seat=scene.seat)
    quota = events.aggregate(total=Sum("from_quota_nanousd"))["total"]
    overrun = events.aggregate(total=Sum("overrun_nanousd"))["total"]
    assert quota <= USD
    for rule in ("rolling/18000", "fixed/604800@345600"):
        assert (
            UsageBucket.objects.filter(rule=rule).aggregate(total=Sum("used_nanousd"))["total"]
            == quota + overrun
        )
    from_credits = UsageEvent.objects.aggregate(total=Sum("from_credits_nanousd"))["total"]
    assert from_credits <= 60 * PENNY
    assert CreditLedgerEntry.objects.balance() == 60 * PENNY - from_credits
    assert CreditGrant.objects.all().remaining() == 60 * PENNY - from_credits
    assert CreditMonth.objects.aggregate(total=Sum("used_nanousd"))["total"] == from_credits


def test_one_request_sent_fifty_times_at_once_holds_once() -> None:
    scene = make_scene()
    results = at_once(*[lambda: scene.desk.ask(3, request_id="once") for _ in range(50)])
    assert len({result.reservation_id for result in results}) == 1
    assert Reservation.objects.count() == 1


def test_one_request_of_a_key_without_seat_sent_at_once_holds_once() -> None:
    scene = make_scene()
    give_credits(scene.team, 10 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    results = at_once(*[lambda: desk.ask(6, request_id="once") for _ in range(20)])
    assert len({result.reservation_id for result in results}) == 1


def test_one_call_settled_fifty_times_at_once_is_charged_once() -> None:
    scene = make_scene()
    held = scene.desk.ask(3)
    results = at_once(*[lambda: scene.desk.settle(held, 2) for _ in range(50)])
    assert len({result.pk for result in results}) == 1
    assert usage_bar(scene.owner, T0).windows[0].used == 2 * PENNY


def test_one_event_reported_fifty_times_at_once_counts_once() -> None:
    scene = make_scene()
    event = ReportedEvent("once", scene.desk.key, "penny", {"calls": 1}, T0)
    results = at_once(
        *[
            lambda: record_events(gateway=scene.desk.gateway, events=[event], at=T0)[0].is_new
            for _ in range(50)
        ]
    )
    assert sorted(results) == [False] * 49 + [True]
    assert usage_bar(scene.owner, T0).windows[0].used == PENNY


def reports(scene: Scene, number: int) -> None:
    event = ReportedEvent(f"row {number}", scene.desk.key, "penny", {"calls": 1}, T0)
    record_events(gateway=scene.desk.gateway, events=[event], at=T0)


def settles(scene: Scene, number: int) -> None:
    settlement = Settlement(scene.desk.ask().reservation_id, Report(usage={"calls": 1}))
    settle_many(gateway=scene.desk.gateway, settlements=[settlement], at=T0)


@pytest.mark.parametrize("batch", [reports, settles])
def test_what_a_batch_accepted_is_on_the_disk_when_it_answers(batch: Callable[[Scene, int], None]) -> None:
    scene = make_scene()

    def lag() -> int:
        """Bytes of the database's log that the last commit wrote and the disk does not have."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_wal_lsn_diff(%s, pg_current_wal_flush_lsn())", [written[0]])
            return int(cursor.fetchone()[0])

    written = [""]
    flush = bulk._flush

    def note_and_flush() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
            (written[0],) = cursor.fetchone()
        behind.append(lag())
        flush()

    behind: list[int] = []
    with pytest.MonkeyPatch.context() as patch, connection.cursor() as session:
        patch.setattr(bulk, "_flush", note_and_flush)
        # As a server is set up that must not lose anything; that of the tests may.
        session.execute("SET synchronous_commit = on")
        for number in range(20):
            batch(scene, number)
            assert len(behind) == number + 1
            assert lag() <= 0
        session.execute("RESET synchronous_commit")
    # The control: without the wait, a row was at times not there yet.
    assert max(behind) > 0


WAITING = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def terminate_whoever_waits() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid) {WAITING}")


def waiting_for_the_seat(scene: Scene, terminated_after: float) -> Any:
    """What an authorize gets that finds its seat locked. Who still waits then is terminated: a wait that had
    no end would hang the test, which shall fail.
    """
    answered = threading.Event()

    def watch() -> None:
        waiting("", 1)
        if not answered.wait(terminated_after):
            terminate_whoever_waits()

    def ask() -> Any:
        try:
            return scene.desk.ask()
        except OperationalError as error:
            return error
        finally:
            answered.set()

    with transaction.atomic():
        Seat.objects.select_for_update().get(pk=scene.seat.pk)
        return at_once(ask, watch)[0]


@pytest.mark.slow
def test_a_seat_that_stays_locked_is_given_up_after_three_seconds() -> None:
    scene = make_scene()
    error = waiting_for_the_seat(scene, terminated_after=6)
    assert isinstance(error, OperationalError)
    assert "lock timeout" in str(error)
    assert Reservation.objects.count() == 0
    assert scene.desk.ask().from_quota_nanousd == PENNY


def test_a_connection_that_goes_away_is_an_error_of_the_database() -> None:
    scene = make_scene()
    error = waiting_for_the_seat(scene, terminated_after=0)
    assert isinstance(error, OperationalError)
    assert "lock timeout" not in str(error)
    assert Reservation.objects.count() == 0
    assert scene.desk.ask().from_quota_nanousd == PENNY
