"""Windows that have ended, written into history from the buckets. No decision reads it.

Every charge notes the windows that it counts in; a window that has ended is then summed up once. So the work
follows what is used and how many windows end, and not how many seats there are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from quota.models import Entitlement
from quota.services.progress import News, find_news, have_read, have_run
from tokenplan.kit.clock import WITHOUT_END, Turn
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

JOB = "close_windows"
EVENTS_PER_TRANSACTION = 20_000
WINDOWS_PER_TRANSACTION = 2_000
SEATS_PER_TRANSACTION = 200


def close_windows(*, at: datetime, everything: bool = False, turn: Turn = WITHOUT_END) -> int:
    """Write what each seat used in each window that ended by `at`. Returns how many rows changed.

    One row a window in which something was used. A rolling window has no end of its own: its history is
    kept in intervals of its length, laid end to end from 1970-01-01 UTC. The limit is that of the plan in
    force at the window's end. Usage that is reported later, however late, writes its windows anew;
    `everything` compares all windows ever.

    Each part is one transaction, so a run that is cut short, or whose turn is over, has kept what it did.
    While another run is at it, this one does nothing.
    """
    news = find_news(job=JOB)
    if everything:
        _note_everything()
    if not (_note_usage(news, turn) and _note_entitlements(news)):
        return 0
    changed = 0
    while True:
        closed = _close_some(at)
        if closed is None:
            return changed
        changed += closed[0]
        if closed[1] < WINDOWS_PER_TRANSACTION:
            break
        if turn.is_over():
            return changed
    have_run(job=JOB, at=at)
    return changed


def _note_usage(news: News, turn: Turn) -> bool:
    """Whether it has noted all; not while another run is at it."""
    after: UUID | None = news.usage_after
    while after is not None:
        if turn.is_over():
            return False
        noted = _note_some_usage(after, news)
        if noted is None:
            return False
        last, count = noted
        after = last if count == EVENTS_PER_TRANSACTION else None
    return True


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _note_some_usage(after: UUID, news: News) -> tuple[UUID, int] | None:
    """The id of the last event that was read, and how many were; None when another run has the lock."""
    if not _alone():
        return None
    last, count = _row(_NOTE_USAGE, after=after, most=EVENTS_PER_TRANSACTION)
    read = min(last, news.usage_settled) if count == EVENTS_PER_TRANSACTION else news.usage_settled
    have_read(job=JOB, usage=read)
    return last, count


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _note_entitlements(news: News) -> bool:
    """Another plan has other limits, and perhaps other rules, in the windows that end after it began."""
    if not _alone():
        return False
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_ENTITLEMENTS, {"after": news.entitlements_after})
    have_read(job=JOB, entitlements=news.entitlements_settled)
    return True


def _note_everything() -> None:
    seat_ids = list(Entitlement.objects.order_by("seat_id").values_list("seat_id", flat=True).distinct())
    for first in range(0, len(seat_ids), SEATS_PER_TRANSACTION):
        with one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS), connection.cursor() as cursor:
            of_batch = seat_ids[first : first + SEATS_PER_TRANSACTION]
            cursor.execute(_NOTE_ALL_OF_SEATS, {"seat_ids": of_batch})


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _close_some(at: datetime) -> tuple[int, int] | None:
    """How many rows of history changed and how many windows were due; None when another run has the lock."""
    if not _alone():
        return None
    changed, due = _row(_CLOSE, at=at, most=WINDOWS_PER_TRANSACTION)
    return changed, due


def _alone() -> bool:
    """Two runs at once could write the older sums over the newer ones."""
    return _row("SELECT pg_try_advisory_xact_lock(hashtext('quota.close_windows'))") == (True,)


def _row(sql: str, **values: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row: tuple[Any, ...] = cursor.fetchone()
        return row


# What is noted: windows of first_use and fixed rules as they are, rolling ones by the interval of history.
_NOTE = "INSERT INTO quota_windowtoclose (seat_id, rule, starts_at, ends_at) SELECT DISTINCT"
_RULE = """
    SELECT DISTINCT e.seat_id, l.rule_key AS rule, l.policy,
        make_interval(secs => l.length_seconds) AS length,
        'epoch'::timestamptz
            + make_interval(secs => coalesce(nullif(split_part(l.rule_key, '@', 2), ''), '0')::int) AS origin
    FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id
"""
_OF_BUCKET = (
    "CASE r.policy WHEN 'rolling' THEN date_bin(r.length, b.starts_at, r.origin) ELSE b.starts_at END"
)

# A first_use window may begin up to its length before or after a charge that counts in it.
_NOTE_USAGE = f"""
WITH news AS (
    SELECT v.id, v.team_id, v.seat_id, v.occurred_at FROM quota_usageevent v
    WHERE v.id > %(after)s ORDER BY v.id LIMIT %(most)s
), rule AS (
    {_RULE} WHERE e.seat_id IN (SELECT n.seat_id FROM news n)
), noted AS (
    {_NOTE} r.seat_id, r.rule, w.starts_at, w.starts_at + r.length
    FROM news n JOIN rule r ON r.seat_id = n.seat_id
        CROSS JOIN LATERAL (
            SELECT date_bin(r.length, n.occurred_at, r.origin) AS starts_at WHERE r.policy <> 'first_use'
            UNION ALL
            SELECT b FROM quota_starts_of_buckets(
                n.team_id, r.seat_id, r.rule, n.occurred_at - r.length, n.occurred_at + r.length
            ) b WHERE r.policy = 'first_use'
        ) w
    ON CONFLICT DO NOTHING
)
SELECT (SELECT n.id FROM news n ORDER BY n.id DESC LIMIT 1), (SELECT count(*) FROM news)
"""  # noqa: S608  (its parts are constants of ours)

_NOTE_ENTITLEMENTS = f"""
WITH news AS (
    SELECT e.seat_id, min(e.starts_at) AS since FROM quota_entitlement e WHERE e.id > %(after)s GROUP BY 1
), rule AS (
    {_RULE} WHERE e.seat_id IN (SELECT n.seat_id FROM news n)
), found AS (
    SELECT r.seat_id, r.rule, r.length, {_OF_BUCKET} AS starts_at
    FROM news n JOIN rule r ON r.seat_id = n.seat_id
        JOIN quota_usagebucket b ON b.seat_id = r.seat_id AND b.rule = r.rule
            AND b.starts_at > n.since - r.length
)
{_NOTE} seat_id, rule, starts_at, starts_at + length FROM found
ON CONFLICT DO NOTHING
"""  # noqa: S608

_NOTE_ALL_OF_SEATS = f"""
WITH rule AS (
    {_RULE} WHERE e.seat_id = ANY(%(seat_ids)s)
), found AS (
    SELECT r.seat_id, r.rule, {_OF_BUCKET} AS starts_at, {_OF_BUCKET} + r.length AS ends_at
    FROM rule r JOIN quota_usagebucket b ON b.seat_id = r.seat_id AND b.rule = r.rule
    UNION
    SELECT c.seat_id, c.rule, c.starts_at, c.ends_at FROM quota_closedwindow c
    WHERE c.seat_id = ANY(%(seat_ids)s)
)
{_NOTE} seat_id, rule, starts_at, ends_at FROM found
ON CONFLICT DO NOTHING
"""  # noqa: S608

# The row of a window in which nothing is recorded any more is deleted.
_CLOSE = """
WITH due AS (
    SELECT w.ctid AS place, w.seat_id, w.rule, w.starts_at, w.ends_at
    FROM quota_windowtoclose w WHERE w.ends_at <= %(at)s
    ORDER BY w.ends_at LIMIT %(most)s
), used AS (
    SELECT d.seat_id, d.rule, d.starts_at, d.ends_at, b.nanousd::bigint
    FROM due d JOIN teams_seat s ON s.id = d.seat_id
        CROSS JOIN LATERAL quota_used_in_buckets(
            s.team_id, d.seat_id, d.rule, d.starts_at - interval '1 microsecond', d.ends_at
        ) AS b (nanousd)
    WHERE b.nanousd > 0
), ended AS (
    SELECT u.*, terms.team_id, terms.name, terms.limit_nanousd
    FROM used u CROSS JOIN LATERAL (
        SELECT e.team_id, l.name, l.limit_nanousd
        FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id AND l.rule_key = u.rule
        WHERE e.seat_id = u.seat_id AND e.starts_at < u.ends_at
            AND (e.superseded_at IS NULL OR e.superseded_at > e.starts_at)
        ORDER BY e.starts_at DESC, e.id DESC LIMIT 1
    ) terms
), empty AS (
    SELECT d.seat_id, d.rule, d.starts_at FROM due d EXCEPT SELECT n.seat_id, n.rule, n.starts_at FROM ended n
), gone AS (
    DELETE FROM quota_closedwindow c USING empty e
    WHERE c.seat_id = e.seat_id AND c.rule = e.rule AND c.starts_at = e.starts_at
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
), done AS (
    -- By its place: statistics of a table that is mostly empty mislead the planner.
    DELETE FROM quota_windowtoclose w USING due d WHERE w.ctid = d.place
)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM written), (SELECT count(*) FROM due)
"""
