"""The months of tables that are kept by month, for tests that make and drop them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from quota.ids import first_id_at, moment_of
from quota.models import CreditLedgerEntry, KeptCalls, ReconcileRun, UsageWatermark
from quota.services.closing_balances import CLOCKS_APART, CLOSE, TOO_OLD
from quota.services.partitions import EVENTS, HOLDS, LEDGER, partitions_of
from tests.helpers.drift import go_behind_triggers

TABLES = (HOLDS, EVENTS, LEDGER)


def month(more: int) -> datetime:
    """The beginning of the month of UTC that is so many after the present one."""
    now = timezone.now()
    months = now.year * 12 + now.month - 1 + more
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


@contextmanager
def kept_as_they_were() -> Iterator[None]:
    """DDL outlives a test that commits: what was made inside goes, and what was dropped is there again."""
    before = {table: partitions_of(table) for table in TABLES}
    yield
    if connection.in_atomic_block:  # which is rolled back
        return
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {LEDGER}_later DROP CONSTRAINT IF EXISTS {TOO_OLD}")
        for table, partitions in before.items():
            names = {partition.name for partition in partitions}
            for partition in partitions_of(table):
                if partition.name not in names:
                    cursor.execute(f"DROP TABLE {partition.name}")
            if not {partition.name for partition in partitions_of(table)} >= names:
                first = partitions[0]
                cursor.execute(f"CREATE TABLE {first.name} (LIKE {table} INCLUDING ALL EXCLUDING INDEXES)")
                if table != LEDGER:
                    cursor.execute("SELECT quota_fit_partition(%s, %s)", [table, first.name])
                end = moment_of(first.end) if table == LEDGER else first.end
                cursor.execute(
                    f"ALTER TABLE {table} ATTACH PARTITION {first.name}"
                    f" FOR VALUES FROM (MINVALUE) TO ('{end}')"
                )


def everything_was_read(end: UUID) -> None:
    """Reports, jobs and reconcile say that they have read all events up to here, and all entries."""
    # Also where a slice was still to be read, because another test's transaction is older.
    read = {"rolled_up_to": end, "next_id": None, "next_transaction": None}
    UsageWatermark.objects.update_or_create(pk=1, defaults=read)
    now = timezone.now()
    ReconcileRun.objects.create(
        began_at=now,
        worked_at=now,
        ended_at=now,
        after_transaction=0,
        usage_next=end,
        windows_next=end,
        holds_next=end,
        entries_upto=2**62,
    )


def drop_entries(*, before: datetime) -> None:
    """As if the months of the ledger before this moment had been dropped, without parting a table."""
    old = f"SELECT * FROM {LEDGER} WHERE at < '{before.isoformat()}'"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CLOSE.format(f"({old})"), {"until": before, "owed": CreditLedgerEntry.OWED_USAGE})
        go_behind_triggers()
        cursor.execute(f"DELETE FROM {LEDGER} WHERE at < %s", [before])
        cursor.execute("SET LOCAL session_replication_role = origin")
    kept = {"events_from": first_id_at(before + CLOCKS_APART), "ledger_from": first_id_at(before)}
    KeptCalls.objects.update_or_create(pk=1, defaults=kept)
