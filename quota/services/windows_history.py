"""Windows that have ended, written into history from the buckets. No decision reads it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from quota.models import Entitlement
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

SEATS_PER_TRANSACTION = 200
# Usage may be reported 7 days late (services/events.py). The hour is for clocks that differ, and for
# transactions that were under way when the windows were last written.
LATEST_REPORT = timedelta(days=7, hours=1)


def close_windows(*, at: datetime, recheck_for: timedelta | None = LATEST_REPORT) -> int:
    """Write what each seat used in each window that ended by `at`. Returns how many rows changed.

    One row a window in which something was used. A rolling window has no end of its own: its history is
    kept in intervals of its length, laid end to end from 1970-01-01 UTC. The limit is that of the plan in
    force at the window's end. A window is compared again while a late report may still change it, which is
    `recheck_for` after it was written; None compares all windows ever, for reservations settled even later.

    Each batch of seats is one transaction, so a run that is cut short has kept what it did. While another
    run is at it, this one does nothing.
    """
    changed = 0
    seat_ids = list(Entitlement.objects.order_by("seat_id").values_list("seat_id", flat=True).distinct())
    for first in range(0, len(seat_ids), SEATS_PER_TRANSACTION):
        of_batch = _close(seat_ids[first : first + SEATS_PER_TRANSACTION], at, recheck_for)
        if of_batch is None:
            break
        changed += of_batch
    return changed


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _close(seat_ids: list[int], at: datetime, recheck_for: timedelta | None) -> int | None:
    """Rows changed; None when another run has the lock."""
    with connection.cursor() as cursor:
        # Two runs at once could write the older sums over the newer ones.
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('quota.close_windows'))")
        if cursor.fetchone() == (False,):
            return None
        seconds = recheck_for.total_seconds() if recheck_for else None
        cursor.execute(_CLOSE, {"seat_ids": seat_ids, "at": at, "recheck_for": seconds})
        (changed,) = cursor.fetchone()
        return int(changed)


# One statement writes all that changed in the history of a seat and rule, so the history is right up to its
# newest `written_at`. Windows that are older than that by more than `recheck_for` are left alone, so that the
# work does not grow with the age of a seat.
_CLOSE = """
WITH seat_rule AS (
    SELECT DISTINCT e.team_id, e.seat_id, l.rule_key AS rule, l.policy,
        make_interval(secs => l.length_seconds) AS length
    FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id
    WHERE e.seat_id = ANY(%(seat_ids)s)
), since AS (
    SELECT r.*,
        CASE WHEN policy = 'rolling' THEN date_bin(length, moment, 'epoch') ELSE moment - length END AS start
    FROM seat_rule r CROSS JOIN LATERAL (
        SELECT coalesce(max(c.written_at) - make_interval(secs => %(recheck_for)s), 'epoch'::timestamptz)
            AS moment
        FROM quota_closedwindow c WHERE c.seat_id = r.seat_id AND c.rule = r.rule
    ) written
), used AS (
    SELECT s.team_id, s.seat_id, s.rule, s.length,
        CASE WHEN s.policy = 'rolling' THEN date_bin(s.length, b.starts_at, 'epoch') ELSE b.starts_at END
            AS starts_at,
        sum(b.used_nanousd)::bigint AS nanousd
    FROM since s JOIN quota_usagebucket b
        ON b.seat_id = s.seat_id AND b.rule = s.rule AND b.starts_at >= s.start AND b.used_nanousd > 0
    GROUP BY 1, 2, 3, 4, 5
), ended AS (
    SELECT u.team_id, u.seat_id, u.rule, u.starts_at, u.starts_at + u.length AS ends_at, u.nanousd,
        terms.name, terms.limit_nanousd
    FROM used u CROSS JOIN LATERAL (
        SELECT l.name, l.limit_nanousd
        FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id AND l.rule_key = u.rule
        WHERE e.seat_id = u.seat_id AND e.starts_at < u.starts_at + u.length
            AND (e.superseded_at IS NULL OR e.superseded_at > e.starts_at)
        ORDER BY e.starts_at DESC, e.id DESC LIMIT 1
    ) terms
    WHERE u.starts_at + u.length <= %(at)s
), gone AS (
    -- The row of a window in which nothing is recorded any more is deleted.
    DELETE FROM quota_closedwindow c USING since s
    WHERE c.seat_id = s.seat_id AND c.rule = s.rule AND c.starts_at >= s.start AND c.ends_at <= %(at)s
        AND (c.seat_id, c.rule, c.starts_at) NOT IN (SELECT seat_id, rule, starts_at FROM ended)
    RETURNING 1
), written AS (
    INSERT INTO quota_closedwindow AS c
        (team_id, seat_id, name, rule, starts_at, ends_at, limit_nanousd, used_nanousd, written_at)
    SELECT team_id, seat_id, name, rule, starts_at, ends_at, limit_nanousd, nanousd, %(at)s FROM ended
    ON CONFLICT (seat_id, rule, starts_at) DO UPDATE SET
        name = EXCLUDED.name, limit_nanousd = EXCLUDED.limit_nanousd,
        used_nanousd = EXCLUDED.used_nanousd, written_at = EXCLUDED.written_at
    WHERE (c.name, c.limit_nanousd, c.used_nanousd)
        IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.limit_nanousd, EXCLUDED.used_nanousd)
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM written)
"""
