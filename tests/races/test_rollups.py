"""No call is missing from what is shown, nor in it twice, whatever is committed while usage is rolled up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction

from quota.models import UsageEvent, UsageRollup, UsageStraggler, UsageWatermark
from quota.selectors.usage_series import usage_by
from quota.services import rollups
from quota.services.rollups import roll_up, start_anew
from teams.models import Membership
from tests.helpers.citus import allow_changes_of_triggers
from tests.helpers.factories import T0, make_team, owner_of
from tests.helpers.races import race
from tests.helpers.usage_rows import write_event

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Membership:
    """Of a Team. What was recorded a millisecond ago may be rolled up, unless it is under way."""
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))
    return owner_of(make_team())


def shown(owner: Membership) -> int:
    return usage_by(owner.team, T0 - DAY, T0 + DAY)[0].amounts.amount_nanousd


def rolled_up() -> int:
    return sum(row.amount_nanousd for row in UsageRollup.objects.filter(width_hours=24))


@contextmanager
def under_way(write: Callable[[], object]) -> Iterator[None]:
    """The write is done in a transaction of another connection, which is committed at the end."""
    written, go_on = threading.Event(), threading.Event()

    def other() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                # As a call has, which locks its key. On a cluster the event alone gives it no number.
                cursor.execute("SELECT pg_current_xact_id()")
                write()
                written.set()
                assert go_on.wait(30)
        finally:
            connections.close_all()

    thread = threading.Thread(target=other)
    thread.start()
    assert written.wait(30)
    try:
        yield
    finally:
        go_on.set()
        thread.join(30)


def roll_up_without_waiting() -> None:
    """As if nobody was under way."""
    roll_up()
    UsageWatermark.objects.filter(next_id__isnull=False).update(next_transaction=0)
    roll_up()


@pytest.mark.parametrize("waits", [False, True], ids=["control", "as it is"])
def test_a_call_that_is_committed_after_a_later_one_is_shown(owner: Membership, waits: bool) -> None:
    with under_way(lambda: write_event(owner, 100)):
        write_event(owner, 7)
        later = UsageEvent.objects.get().pk
        if waits:
            roll_up()
            roll_up()
            assert (shown(owner), rolled_up()) == (7, 0)
        else:
            roll_up_without_waiting()
            assert UsageWatermark.objects.get().rolled_up_to > later
            assert (shown(owner), rolled_up()) == (7, 7)
    assert UsageStraggler.objects.count() == 0
    assert shown(owner) == (107 if waits else 7)
    assert roll_up() == (2 if waits else 0)
    assert shown(owner) == rolled_up() == (107 if waits else 7)


def test_who_began_to_write_after_a_run_is_not_waited_for_by_the_next(owner: Membership) -> None:
    with under_way(lambda: write_event(owner, 1)):
        write_event(owner, 10)
        roll_up()
    with under_way(lambda: write_event(owner, 100)):
        assert roll_up() == 2
        assert (shown(owner), rolled_up()) == (11, 11)
    assert roll_up() == 1
    assert shown(owner) == rolled_up() == 111


def test_nobody_waits_for_what_is_done_in_another_database_of_the_server(owner: Membership) -> None:
    write_event(owner, 7)
    elsewhere = connection.copy()
    elsewhere.settings_dict = {**connection.settings_dict, "NAME": "postgres", "OPTIONS": {}}
    try:
        with elsewhere.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_current_xact_id()")
            with connection.cursor() as ours:
                ours.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
                assert ours.fetchone()[0] <= int(cursor.fetchone()[0])
            assert roll_up() == 1
            cursor.execute("ROLLBACK")
    finally:
        elsewhere.close()


@pytest.mark.parametrize("noted", [False, True], ids=["control", "as it is"])
def test_a_call_with_an_id_of_a_slow_clock_is_shown(owner: Membership, noted: bool) -> None:
    write_event(owner, 7)
    older = UsageEvent.objects.get().pk
    roll_up()
    assert UsageWatermark.objects.get().rolled_up_to > older
    with connection.cursor() as cursor:
        allow_changes_of_triggers()
        if not noted:
            cursor.execute("ALTER TABLE quota_usageevent DISABLE TRIGGER usage_with_an_older_id_is_noted")
        write_event(owner, 100, id=type(older)(int=older.int - (3_600_000 << 80)))
        cursor.execute("ALTER TABLE quota_usageevent ENABLE TRIGGER usage_with_an_older_id_is_noted")
    assert UsageStraggler.objects.count() == int(noted)
    assert shown(owner) == (107 if noted else 7)
    assert roll_up() == int(noted)
    assert shown(owner) == rolled_up() == (107 if noted else 7)
    assert UsageStraggler.objects.count() == 0


def test_a_straggler_that_is_committed_late_waits_for_the_next_run(owner: Membership) -> None:
    write_event(owner, 7)
    older = UsageEvent.objects.get().pk
    with under_way(lambda: write_event(owner, 100, id=type(older)(int=older.int - (3_600_000 << 80)))):
        roll_up()
        roll_up_without_waiting()
        assert (shown(owner), rolled_up()) == (7, 7)
    assert shown(owner) == 107
    assert roll_up() == 1
    assert shown(owner) == rolled_up() == 107


def test_runs_side_by_side_count_each_call_once(owner: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "EVENTS_PER_TRANSACTION", 2)
    for number in range(15):
        write_event(owner, 1, at=T0 + timedelta(minutes=20 * number))
    counted = [result for result in race(*[roll_up] * 5) if not isinstance(result, Exception)]
    assert len(counted) == 5
    assert sum(counted) + roll_up() == 15
    assert shown(owner) == rolled_up() == 15


def test_a_sum_is_one_snapshot_while_usage_is_rolled_up(
    owner: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in two statements, what is rolled up between them is seen by neither, or by both."""
    monkeypatch.setattr(rollups, "EVENTS_PER_TRANSACTION", 1)
    for number in range(12):
        write_event(owner, 1, at=T0 + timedelta(minutes=number))
    before = rolled_up()
    roll_up()
    newer = UsageEvent.objects.filter(pk__gt=UsageWatermark.objects.get().rolled_up_to).count()
    assert before + newer < 12

    def roll_up_again_and_again() -> list[int]:
        for _ in range(6):
            start_anew()
            roll_up()
        return []

    def read() -> list[int]:
        return [shown(owner) for _ in range(40)]

    found = race(roll_up_again_and_again, read, read)
    assert found == [[], [12] * 40, [12] * 40]
