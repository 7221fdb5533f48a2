"""The months of calls and of the ledger: partitions are made ahead, and dropped when they are older than what
they have is kept.

No call waits for this. A hold, an event or an entry that is newer than the last month goes into a partition
for whatever comes later, which becomes a month of its own here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection

from quota.ids import NO_ID, first_id_at, moment_of
from quota.models import (
    JobProgress,
    KeptCalls,
    OwedUsage,
    ReconcileRun,
    Reservation,
    UsageStraggler,
    UsageWatermark,
)
from quota.models.reservations import KEPT_FOR_AT_MOST
from quota.selectors.kept import ledger_kept_since
from quota.services.closing_balances import (
    is_needed_no_more,
    keep_closing_balances,
    refuse_older_entries,
)
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

logger = logging.getLogger(__name__)

HOLDS, EVENTS, LEDGER = "quota_reservation", "quota_usageevent", "quota_creditledgerentry"
# What of `KeptCalls` says how far each has been dropped.
FROM = {HOLDS: "holds_from", EVENTS: "events_from", LEDGER: "ledger_from"}
NAMED_BY_ENTRIES = "teams_user, teams_team, teams_membership, quota_creditgrant"
# As long as draws of a hold may come, and a day for clocks.
LONGEST_HOLD = KEPT_FOR_AT_MOST + timedelta(days=1)
# Whoever calls meanwhile waits for it: where it is not had at once, the next run tries again.
LOCK_TIMEOUT_MS = 300


@dataclass(frozen=True, slots=True)
class Partition:
    """Of a table: the rows with ids from `start` to before `end`. Of the ledger, whose entries go by their
    moment, these are the first ids of the moments.
    """

    name: str
    start: UUID
    end: UUID


@dataclass(frozen=True, slots=True)
class MadeAndDropped:
    """The names of the partitions that a run has made and dropped."""

    made: list[str]
    dropped: list[str]


def keep_partitions(*, at: datetime) -> MadeAndDropped:
    """Make the months up to the end of the next one, and drop those that are older than `RETENTION_MONTHS`,
    and of the ledger than `LEDGER_RETENTION_MONTHS`.

    What is dropped is added up in the rollups, in history and in the months of caps, of the ledger in closing
    balances; jobs and reconcile have read all of it. Where they have not, or another transaction is in the
    way, it stays until a later run.
    """
    made: list[str] = []
    dropped: list[str] = []
    for table in (HOLDS, EVENTS, LEDGER):
        with _unless_in_the_way(table):
            made += _make_months(table=table, at=at)
    if settings.RETENTION_MONTHS:
        # No shorter than a hold takes draws: their repeats are known by their events.
        oldest = min(_month(at, -settings.RETENTION_MONTHS), at - LONGEST_HOLD)
        # A draw may come so long after its hold was made: no event outlives its hold.
        for table, since in ((EVENTS, oldest), (HOLDS, oldest - LONGEST_HOLD)):
            dropped += _drop_months(table, since)
    if settings.LEDGER_RETENTION_MONTHS:
        dropped += _drop_months(LEDGER, _month(at, -settings.LEDGER_RETENTION_MONTHS))
    return MadeAndDropped(made, dropped)


def partitions_of(table: str) -> list[Partition]:
    """The table's partitions by month, the oldest first; not the one for whatever comes later."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTITIONS, [table])
        rows = cursor.fetchall()
    found = [
        Partition(name, _first_id(start) if start else NO_ID, _first_id(end)) for name, start, end in rows
    ]
    return sorted(found, key=lambda partition: partition.end)


_PARTITIONS = """
SELECT name, substring(bound FROM $$FROM \\('([^']+)'\\)$$), substring(bound FROM $$TO \\('([^']+)'\\)$$)
FROM (
    SELECT c.relname::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass
) AS partition WHERE bound <> 'DEFAULT'
"""


def _first_id(bound: str) -> UUID:
    """Of a bound as the database says it: an id, or a moment."""
    return first_id_at(datetime.fromisoformat(bound)) if ":" in bound else UUID(bound)


def _bound(table: str, id: UUID) -> UUID | datetime:
    """What bounds a partition of the table there."""
    return moment_of(id) if table == LEDGER else id


@contextmanager
def _unless_in_the_way(table: str) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        logger.warning("The partitions of %s stay as they are until the next run: %s", table, error)


@one_transaction()
def _make_months(*, table: str, at: datetime) -> list[str]:
    """The names of those that were missing up to the end of the next month."""
    made = []
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        end = partitions_of(table)[-1].end
        newest = _newest_later(table)
        if newest and newest >= moment_of(end):
            end = first_id_at(_month(newest, 1))
            made.append(_close_later(table, end))
        while moment_of(end) < _month(at, 2):
            start, end = end, first_id_at(_month(moment_of(end), 1))
            name = f"{table}_{moment_of(start):%Y_%m}"
            bounds = [_bound(table, start), _bound(table, end)]
            cursor.execute("SELECT quota_add_partition(%s, %s, %s, %s)", [table, name, *bounds])
            made.append(name)
    return made


def _newest_later(table: str) -> datetime | None:
    """The moment of the newest row for which there was no month."""
    newest = "at" if table == LEDGER else "id"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {newest} FROM {table}_later ORDER BY {newest} DESC LIMIT 1")  # noqa: S608
        found = cursor.fetchone()
    if found is None:
        return None
    moment: datetime = found[0] if table == LEDGER else moment_of(found[0])
    return moment


def _close_later(table: str, end: UUID) -> str:
    """What came before its month was made becomes a partition up to `end`; what comes later has a new one."""
    later, start = f"{table}_later", partitions_of(table)[-1].end
    name = f"{table}_{moment_of(start):%Y_%m}_late"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {later}")
        cursor.execute(f"ALTER TABLE {later} RENAME TO {name}")
        if table == EVENTS:
            for index in ("draws", "corrections"):
                cursor.execute(f"ALTER INDEX {later}_{index} RENAME TO {name}_{index}")
        cursor.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{_bound(table, start)}') TO ('{_bound(table, end)}')"
        )
        if table == LEDGER:
            cursor.execute(f"CREATE TABLE {later} PARTITION OF {table} DEFAULT")
            if (since := ledger_kept_since()) is not None:
                refuse_older_entries(since)
        else:
            # Fitted before it is a partition: on a cluster it could not be changed so afterwards.
            cursor.execute(f"CREATE TABLE {later} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)")
            cursor.execute("SELECT quota_fit_partition(%s, %s)", [table, later])
            cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {later} DEFAULT")
    return name


def _drop_months(table: str, since: datetime) -> list[str]:
    """The oldest first, and none out of its order; the last month stays."""
    dropped: list[str] = []
    for partition in partitions_of(table)[:-1]:
        if partition.end > first_id_at(since):
            break
        done: list[str] = []
        with _unless_in_the_way(table):
            done = _drop(table=table, partition=partition)
        if not done:
            break
        dropped += done
    return dropped


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _drop(*, table: str, partition: Partition) -> list[str]:
    """Its name, if all that is made of its rows has been made."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        # No run of reconcile begins, and none is reading, until the month is gone for whoever reads next; nor
        # does another run of this one, so that nobody else writes what is kept.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('quota.reconcile'))")
        cursor.execute("LOCK TABLE quota_keptcalls IN ROW EXCLUSIVE MODE")
    kept, _is_new = KeptCalls.objects.get_or_create(pk=1)
    if not _is_done_with(table, partition, kept):
        return []
    if table == LEDGER:
        keep_closing_balances(partition=partition.name, until=moment_of(partition.end))
    setattr(kept, FROM[table], partition.end)
    kept.save()
    with connection.cursor() as cursor:
        if table == LEDGER:
            # Dropping a foreign key locks what it leads to. All are waited for before any call waits for one.
            cursor.execute(f"LOCK TABLE {NAMED_BY_ENTRIES}, {LEDGER} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {partition.name}")
        cursor.execute(f"DROP TABLE {partition.name}")
    return [partition.name]


def _is_done_with(table: str, partition: Partition, kept: KeptCalls) -> bool:
    if table == EVENTS:
        return _is_summed_up(partition)
    if table == HOLDS:
        return _has_ended(partition, kept)
    return is_needed_no_more(partition=partition.name, until=moment_of(partition.end), kept=kept)


def _is_summed_up(partition: Partition) -> bool:
    """Whether reports, jobs and reconcile have read its events for good, and nothing is owed for one."""
    # Locked: whoever makes all sums anew has it.
    watermark = UsageWatermark.objects.select_for_update(no_key=True).filter(pk=1).first()
    checked = ReconcileRun.objects.filter(replaced=False, ended_at__isnull=False).order_by("pk").last()
    return bool(
        watermark
        and watermark.rolled_up_to >= partition.end
        and not UsageStraggler.objects.filter(event_id__lt=partition.end).exists()
        and not JobProgress.objects.filter(usage_done__lt=partition.end).exists()
        and checked
        and checked.usage_next >= partition.end
        and not ReconcileRun.objects.filter(ended_at=None).exists()
        and not OwedUsage.objects.filter(left_nanousd__gt=0, event_id__lt=partition.end).exists()
    )


def _has_ended(partition: Partition, kept: KeptCalls) -> bool:
    """Whether no hold of it is open, and no event is kept that may be of one."""
    if not kept.events_from.int:
        return False
    drawn_since = first_id_at(moment_of(kept.events_from) - LONGEST_HOLD)
    is_open = Reservation.objects.filter(pk__lt=partition.end, state=Reservation.State.HELD).exists()
    return partition.end <= drawn_since and not is_open


def _month(moment: datetime, more: int) -> datetime:
    """The beginning of the month of UTC that lies so many after that of the moment."""
    months = moment.astimezone(UTC).year * 12 + moment.astimezone(UTC).month - 1 + more
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
