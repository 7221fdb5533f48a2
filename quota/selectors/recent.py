"""Which rows are new since a job last looked: what it may take as read for good, and what it reads again.

A row becomes visible when its transaction commits, which may be after rows with higher ids. So a job notes
how far ids went at some moment, and takes rows up to there as read only when it has read them after every
transaction of that moment was over. Ids of calls begin with the time of the server that made them, and two
servers' clocks differ: of those, it leaves the last minute out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection

from quota.ids import NO_ID, earlier, first_id_at

# More than clocks of servers differ by.
CLOCKS_APART = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far ids went at a moment, and a transaction that is newer than all that had written until then.
    `usage` leaves out what clocks may differ by, `newest_…` do not.
    """

    usage: UUID
    newest_usage: UUID
    newest_hold: UUID
    entries: int
    entitlements: int
    transaction: int


_HORIZON = """
SELECT (SELECT v.id FROM quota_usageevent v ORDER BY v.id DESC LIMIT 1),
    (SELECT r.id FROM quota_reservation r ORDER BY r.id DESC LIMIT 1),
    (SELECT coalesce(max(l.id), 0) FROM quota_creditledgerentry l),
    (SELECT coalesce(max(e.id), 0) FROM quota_entitlement e),
    pg_current_xact_id()::text::bigint,
    clock_timestamp()
"""


def horizon() -> Horizon:
    """As of now. Rows up to it are all there once `is_over` says so of its transaction.

    It gives the present transaction its number, which must not have one yet: the statement reads first, and
    whoever has made an id until then has an older number. So ask before anything is written or locked.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HORIZON)
        usage, hold, entries, entitlements, transaction, now = cursor.fetchone()
    newest_usage, newest_hold = usage or NO_ID, hold or NO_ID
    return Horizon(
        usage=earlier(min(newest_usage, first_id_at(now)), CLOCKS_APART),
        newest_usage=newest_usage,
        newest_hold=newest_hold,
        entries=entries,
        entitlements=entitlements,
        transaction=transaction,
    )


# A snapshot knows the transactions of all databases of the server; those of another one are not waited for.
# Where nobody says whose one is, since it has just ended or is prepared, it counts as ours.
_OVER = """
SELECT pg_snapshot_xmax(s)::text::bigint < %(id)s OR NOT EXISTS (
    SELECT 1 FROM pg_snapshot_xip(s) x
        LEFT JOIN pg_locks l ON l.locktype = 'transactionid' AND l.transactionid = x.x::xid
            AND l.mode = 'ExclusiveLock' AND l.granted
        LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE x.x::text::bigint < %(id)s
        AND (a.datid IS NULL OR a.datname = current_database())
)
FROM pg_current_snapshot() s
"""


def is_over(transaction: int) -> bool:
    """Whether every older transaction has ended, so that what it wrote can be seen from now on. One that is
    ahead of all there are was noted by a server whose data was restored into this one: they have.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OVER, {"id": transaction})
        (over,) = cursor.fetchone()
    return bool(over)
