"""The months of calls: made ahead, caught up with, dropped, and what is still so afterwards."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from quota.errors import ReportedTooLate, ReservationClosed
from quota.hot_path.bulk import record_events
from quota.hot_path.draws import Report, Settlement, draw_from
from quota.hot_path.events import ReportedEvent
from quota.hot_path.state import locked_reservation_state
from quota.ids import first_id_at, moment_of, new_id
from quota.models import (
    EventId,
    KeptCalls,
    OwedUsage,
    ReconcileRun,
    Reservation,
    UsageEvent,
    UsageStraggler,
    UsageWatermark,
)
from quota.selectors.reconcile import differences
from quota.selectors.usage_series import total, usage_by
from quota.services import rollups
from quota.services.partitions import EVENTS, HOLDS, MadeAndDropped, keep_partitions, partitions_of
from quota.services.reconcile import snapshot
from quota.services.rollups import SumsAreAllThereIs, roll_up, start_anew
from tests.helpers.factories import CREDIT, T0, USD, Scene, allow_credits, give_credits, make_scene
from tests.helpers.locks import Case, without_locks
from tests.helpers.months import TABLES, everything_was_read, month

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("months_as_they_were")]
committed = pytest.mark.django_db(transaction=True)

CENT = USD // 100
DAY = timedelta(days=1)
# Three months may be fewer days than a hold takes draws for.
A_WHILE = 9 * DAY


def partition_of(event: UsageEvent) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT tableoid::regclass::text FROM {EVENTS} WHERE id = %s", [event.pk])
        # On a cluster it is a part of that, which ends with its number.
        return re.sub(r"_\d{6,}$", "", str(cursor.fetchone()[0]))


def write_again(event: UsageEvent, **said: object) -> None:
    """The same event once more, in what is said otherwise."""
    copy = UsageEvent.objects.get(pk=event.pk)
    for name, value in {**said, "id": new_id()}.items():
        setattr(copy, name, value)
    copy.save(force_insert=True)


def test_the_months_up_to_the_end_of_the_next_one_are_there_and_a_run_adds_what_is_missing() -> None:
    ends = {table: [moment_of(one.end) for one in partitions_of(table)] for table in TABLES}
    assert ends == {table: [month(2)] for table in TABLES}
    assert keep_partitions(at=timezone.now()) == MadeAndDropped([], [])
    names = [f"{table}_{month(more):%Y_%m}" for table in TABLES for more in (2, 3)]
    assert keep_partitions(at=month(2)).made == names
    assert [moment_of(one.start) for one in partitions_of(EVENTS)][1:] == [month(2), month(3)]
    assert keep_partitions(at=month(2)).made == []


def test_a_call_stands_in_the_month_of_its_id() -> None:
    scene = make_scene()
    keep_partitions(at=month(2))
    with time_machine.travel(month(2) + DAY, tick=False):
        event = scene.desk.use(5)
    assert partition_of(event) == f"{EVENTS}_{month(2):%Y_%m}"
    assert Reservation.objects.get().state == "settled"


def test_a_call_needs_no_job_and_the_next_run_gives_it_its_month() -> None:
    scene = make_scene()
    with time_machine.travel(month(5) + DAY, tick=False):
        event = scene.desk.use(5)
    assert partition_of(event) == f"{EVENTS}_later"
    made = keep_partitions(at=month(5) + DAY).made
    late = f"{EVENTS}_{month(2):%Y_%m}_late"
    assert [name for name in made if name.startswith(EVENTS)] == [late, f"{EVENTS}_{month(6):%Y_%m}"]
    assert partition_of(event) == late
    assert UsageEvent.objects.get().amount_nanousd == 5 * CENT
    with time_machine.travel(month(9), tick=False):
        assert partition_of(scene.desk.use(1)) == f"{EVENTS}_later"
    assert list(differences(T0 + DAY)) == []


@pytest.mark.parametrize("more", [0, 2, 9])
def test_a_draw_and_an_undo_are_refused_twice_in_each_partition(more: int) -> None:
    scene = make_scene()
    keep_partitions(at=month(2))
    drawn = scene.desk.use(5)
    with time_machine.travel(max(month(more), timezone.now()), tick=True):
        for said in (
            {"reservation_id": new_id(), "draw_id": "one"},
            {"corrects_id": drawn.pk, "is_undo": False, "draw_id": "undo", "reservation_id": None},
        ):
            write_again(drawn, **said)
            with pytest.raises(IntegrityError), transaction.atomic():
                write_again(drawn, **said)
    assert UsageEvent.objects.count() == 3


def test_statistics_are_kept_of_no_long_column_of_any_partition() -> None:
    keep_partitions(at=month(2))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relispartition AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
            " AND a.attstattarget = 0 GROUP BY 1"
        )
        found = dict(cursor.fetchall())
    assert {name: 5 if name.startswith(EVENTS) else 3 for name in found} == found
    assert len(found) == len(partitions_of(EVENTS)) + len(partitions_of(HOLDS)) + 2


def old_and_new(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of every kind of call in the month that ends first, and a call of four months later."""
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))
    give_credits(scene.team, 100 * CREDIT)
    allow_credits(scene.owner)
    scene.desk.settle(scene.desk.ask(5, request_id="old"), 5)
    scene.desk.use(9, at=T0 + timedelta(minutes=20))
    event = ReportedEvent("old", scene.desk.key, "penny", {"calls": 1}, T0)
    record_events(gateway=scene.desk.gateway, events=[event], at=T0)
    roll_up()
    keep_partitions(at=month(5))
    with time_machine.travel(month(5), tick=False):
        scene.desk.use(2, at=timezone.now())


@committed
def test_only_what_was_rolled_up_read_and_checked_is_dropped(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RETENTION_MONTHS = 3
    old_and_new(make_scene(), monkeypatch)
    at, end = month(5) + A_WHILE, first_id_at(month(2))
    assert keep_partitions(at=at).dropped == []
    everything_was_read(end)
    run = ReconcileRun.objects.get()
    for change, back in (
        (lambda: UsageWatermark.objects.update(rolled_up_to=first_id_at(month(1))), lambda: None),
        (
            lambda: UsageStraggler.objects.create(event_id=new_id(), team_id=1),
            UsageStraggler.objects.all().delete,
        ),
        (lambda: ReconcileRun.objects.update(usage_next=first_id_at(month(1))), lambda: None),
        (lambda: ReconcileRun.objects.update(replaced=True), lambda: None),
        (lambda: ReconcileRun.objects.update(ended_at=None), lambda: None),
    ):
        change()
        assert keep_partitions(at=at).dropped == []
        back()
        run.save()
        UsageWatermark.objects.update(rolled_up_to=end)
    assert UsageEvent.objects.count() == 4
    assert keep_partitions(at=month(4) + 27 * DAY).dropped == []  # not old enough
    first = partitions_of(EVENTS)[0].name
    assert keep_partitions(at=at).dropped == [first]
    assert moment_of(partitions_of(EVENTS)[0].start) == month(2)
    assert KeptCalls.objects.get().events_from == end


@committed
def test_holds_are_kept_as_long_as_usage_of_them_may_come(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RETENTION_MONTHS = 3
    scene = make_scene()
    old_and_new(scene, monkeypatch)
    everything_was_read(first_id_at(month(9)))
    scene.desk.ask(1, request_id="open")
    keep_partitions(at=month(8) + A_WHILE)
    assert Reservation.objects.filter(pk__lt=first_id_at(month(2))).count() == 3
    first = partitions_of(HOLDS)[0].name
    assert keep_partitions(at=month(9) + A_WHILE).dropped == [f"{EVENTS}_{month(5):%Y_%m}"]
    Reservation.objects.filter(request_id="open").update(state="released", left_quota_nanousd=0)
    assert keep_partitions(at=month(9) + A_WHILE).dropped == [first]


@committed
def test_what_was_dropped_is_still_summed_up_proved_and_not_taken_twice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RETENTION_MONTHS = 3
    scene = make_scene()
    old_and_new(scene, monkeypatch)
    hour = T0.replace(minute=0)
    ranges = [(hour, hour + timedelta(hours=1)), (hour - DAY, month(1)), (hour, hour + DAY)]
    before = [total(usage_by(scene.team, *one)) for one in ranges]
    assert before[0].calls == 3
    everything_was_read(first_id_at(month(12)))
    assert len(keep_partitions(at=month(9) + A_WHILE).dropped) == 6
    assert (UsageEvent.objects.count(), Reservation.objects.count()) == (0, 1)
    assert [total(usage_by(scene.team, *one)) for one in ranges] == before
    assert list(differences(month(9))) == []

    with pytest.raises(ReservationClosed) as refused:
        scene.desk.ask(5, request_id="old")
    assert refused.value.state == "lapsed"
    event = ReportedEvent("old", scene.desk.key, "penny", {"calls": 1}, T0)
    (again,) = record_events(gateway=scene.desk.gateway, events=[event], at=T0)
    assert (again.is_new, again.refusal) == (False, None)
    assert EventId.objects.get().external_id == "old"
    assert UsageEvent.objects.count() == 0
    with pytest.raises(SumsAreAllThereIs):
        start_anew()


@committed
def test_a_month_stays_while_usage_of_it_is_owed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RETENTION_MONTHS = 3
    scene = make_scene()
    old_and_new(scene, monkeypatch)
    everything_was_read(first_id_at(month(2)))
    event = UsageEvent.objects.earliest("pk")
    whose = {"team": scene.team, "membership": scene.owner}
    owed = OwedUsage.objects.create(event=event, owed_nanousd=7, left_nanousd=7, **whose)
    assert keep_partitions(at=month(5) + A_WHILE).dropped == []
    give_credits(scene.team, 10 * CREDIT)
    owed.refresh_from_db()
    assert owed.left_nanousd == 0
    assert len(keep_partitions(at=month(5) + A_WHILE).dropped) == 1


@committed
def test_what_is_replayed_is_not_charged_again_where_its_event_may_have_been_dropped(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RETENTION_MONTHS = 3
    scene = make_scene()
    lease = scene.desk.lease(50 * CENT, seconds=86_400)
    row = Settlement(lease.reservation_id, Report(draw_id="one", usage={"calls": 5}, model="penny"))
    scene.desk.draw(lease, 5, draw_id="one")
    old_and_new(scene, monkeypatch)
    everything_was_read(first_id_at(month(2)))
    keep_partitions(at=month(5) + A_WHILE)
    with transaction.atomic():
        locked = locked_reservation_state(lease.reservation_id, at=month(5))
        with pytest.raises(ReportedTooLate):
            draw_from(
                locked, row.report, gateway=scene.desk.gateway, closes=False, at=month(5), replayed_from=T0
            )
    assert UsageEvent.objects.filter(reservation=lease.reservation_id).count() == 0


@committed
def test_of_an_hour_that_was_dropped_there_is_its_sum_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RETENTION_MONTHS = 3
    scene = make_scene()
    old_and_new(scene, monkeypatch)
    hour, half = T0.replace(minute=0), timedelta(minutes=10)
    assert total(usage_by(scene.team, hour, hour + half)).calls == 2
    everything_was_read(first_id_at(month(12)))
    keep_partitions(at=month(5) + A_WHILE)
    assert total(usage_by(scene.team, hour, hour + half)).calls == 3
    assert total(usage_by(scene.team, hour + half, hour + DAY)).calls == 0


@committed
def test_where_somebody_reads_the_table_a_run_leaves_it_for_the_next_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RETENTION_MONTHS = 3
    old_and_new(make_scene(), monkeypatch)
    everything_was_read(first_id_at(month(2)))
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(f"BEGIN; SELECT count(*) FROM {EVENTS}")
            assert keep_partitions(at=month(5) + A_WHILE) == MadeAndDropped([], [])
            assert UsageEvent.objects.count() == 4
            cursor.execute("ROLLBACK")
        assert len(keep_partitions(at=month(5) + A_WHILE).dropped) == 1
    finally:
        other.close()


def keep_in_another_connection(at: datetime) -> MadeAndDropped:
    try:
        return keep_partitions(at=at)
    finally:
        connection.close()


@committed
def test_a_month_stays_while_reconcile_reads(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RETENTION_MONTHS = 3
    old_and_new(make_scene(), monkeypatch)
    everything_was_read(first_id_at(month(2)))
    at = month(5) + A_WHILE
    with ThreadPoolExecutor(max_workers=1) as another, snapshot():
        assert another.submit(keep_in_another_connection, at).result() == MadeAndDropped([], [])
    assert UsageEvent.objects.count() == 4
    assert len(keep_partitions(at=at).dropped) == 1


@committed
@pytest.mark.parametrize("locks", [True, False], ids=["locked", "control"])
def test_a_month_stays_while_all_sums_are_made_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, locks: bool
) -> None:
    """Without the lock its events are dropped, and their sums are forgotten with the others."""
    settings.RETENTION_MONTHS = 3
    old_and_new(make_scene(), monkeypatch)
    everything_was_read(first_id_at(month(2)))
    at = month(5) + A_WHILE
    case = Case(start_anew, lambda: keep_partitions(at=at), lambda: UsageEvent.objects.count() == 4)
    with nullcontext() if locks else without_locks():
        case.run()
    assert case.is_lost() is not locks
