"""What a month of the ledger came to is kept when its entries are dropped (`quota.services.partitions`), so
that every sum of a lot, by kind, can be worked out for ever: closing balances, and entries that are kept.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from quota.ids import first_id_at
from quota.models import CreditLedgerEntry, KeptCalls, ReconcileRun

# An entry is of the moment of the database's clock, its event of a server's.
CLOCKS_APART = timedelta(days=1)


def is_needed_no_more(*, partition: str, until: datetime, kept: KeptCalls) -> bool:
    """Whether the events that the entries of this month are of have been dropped, so that no charge is
    corrected, or compared with its entries, any more; and reconcile has read every entry.
    """
    if kept.events_from < first_id_at(until + CLOCKS_APART):
        return False
    if ReconcileRun.objects.filter(ended_at=None).exists():
        return False
    checked = ReconcileRun.objects.filter(replaced=False, ended_at__isnull=False).order_by("pk").last()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM {partition}")  # noqa: S608  (a name of the database)
        (newest,) = cursor.fetchone()
    return checked is not None and checked.entries_upto >= newest


def keep_closing_balances(*, partition: str, until: datetime) -> None:
    """Write what the entries of this partition came to, have its lots checked by the next run of reconcile,
    and refuse entries that are as old from now on; in the transaction that drops it.
    """
    with connection.cursor() as cursor:
        # Nobody writes to such an old month; whoever reads it does not wait.
        cursor.execute(f"LOCK TABLE {partition} IN SHARE MODE")
        cursor.execute(CLOSE.format(partition), {"until": until, "owed": CreditLedgerEntry.OWED_USAGE})
        cursor.execute(_CHECK.format(partition))
        # What no month takes goes into the partition for whatever comes later.
        cursor.execute(f"ALTER TABLE quota_creditledgerentry_later DROP CONSTRAINT IF EXISTS {TOO_OLD}")
        refuse_older_entries(until)


def refuse_older_entries(than: datetime) -> None:
    """The partition for whatever comes later takes no entry of a month that has been dropped."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"ALTER TABLE quota_creditledgerentry_later ADD CONSTRAINT {TOO_OLD}"
            f" CHECK (at >= '{than.isoformat()}')"
        )


TOO_OLD = "an_entry_is_of_a_month_that_is_kept"

# Sums of nothing are left out: what an operator gave and took back.
CLOSE = """
INSERT INTO quota_closingbalance (grant_id, until, kind, cause, team_id, account, amount_nanousd)
SELECT l.grant_id, %(until)s, l.kind,
    CASE WHEN l.kind = 'use' AND l.cause <> %(owed)s THEN '' ELSE l.cause END,
    l.team_id, l.account, sum(l.amount_nanousd)
FROM {} l GROUP BY 1, 3, 4, 5, 6 HAVING sum(l.amount_nanousd) <> 0
"""
# All of a lot, as `quota.selectors.reconcile` says it.
_CHECK = """
INSERT INTO quota_uncheckedsum (kind, of_id, week, since, until)
SELECT DISTINCT 'lot', l.grant_id, 0, 'epoch'::timestamptz, 'epoch'::timestamptz FROM {} l
ON CONFLICT (kind, of_id, week) DO NOTHING
"""
