"""Events, added up by the hour and by the day for reports. No decision reads it, and no sum waits for it:
what is not rolled up yet is read from the events.

Events are taken in the order of their ids, up to the watermark. An event may be committed after others with
larger ids, so the watermark rises to an id only when no transaction is left that may have written a smaller
one. Two things make sure of that, and neither is a guess at how long a transaction takes:

- The id is that of `BEHIND` before a moment of the database's clock, and every transaction that had begun to
  write by that moment has ended.
- What is written after that moment with an id of more than 5 seconds before is noted by the database as a
  straggler (`quota/migrations/0017_rollups.py`), and is counted apart, whatever the watermark is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from quota import servers
from quota.ids import NO_ID, first_id_at
from quota.models import KeptCalls, TagRollup, UsageRollup, UsageWatermark
from quota.models.rollups import KEY
from quota.selectors.recent import is_over
from quota.selectors.usage_series import SUMMED
from tokenplan.kit.clock import WITHOUT_END, Turn
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

EVENTS_PER_TRANSACTION = 20_000
# More than the 5 seconds after which the database notes an id as a straggler: its clock may step back by the
# difference, as when another server takes over.
BEHIND = timedelta(seconds=10)


class SumsAreAllThereIs(Exception):
    """Old calls have been dropped, and these sums are what is left of them."""


def roll_up(*, turn: Turn = WITHOUT_END) -> int:
    """Roll up what has been recorded since, up to some seconds ago. Returns how many events that was.

    Each slice of events is one transaction, so a run that is cut short, or whose turn is over, has kept what
    it did, and no event is counted twice. While another run is at it, this one does nothing. Where the
    database does not note stragglers, since it has no triggers, nothing is rolled up: sums are right without.
    """
    UsageWatermark.objects.get_or_create(pk=1, defaults={"rolled_up_to": NO_ID})
    # As far as the last run has found, then as far as this one finds; that waits for what is under way now.
    rolled = _roll_up_to_next(turn)
    _find_next()
    return rolled + _roll_up_to_next(turn)


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def start_anew() -> None:
    """Forget all that is rolled up: until `roll_up` has done it again, sums are read from the events.

    Raises SumsAreAllThereIs where events have been dropped, which could not be added up again.
    """
    servers.ask_each_by_one_connection()
    # Whoever drops a month has this row, too.
    UsageWatermark.objects.select_for_update(no_key=True).filter(pk=1).first()
    if KeptCalls.objects.exclude(events_from=NO_ID).exists():
        raise SumsAreAllThereIs
    for model in (UsageRollup, TagRollup):
        model.objects.all()._raw_delete(model.objects.db)
    UsageWatermark.objects.filter(pk=1).update(rolled_up_to=NO_ID, next_id=None, next_transaction=None)


def _roll_up_to_next(turn: Turn) -> int:
    total = 0
    while not turn.is_over() and (rolled := _roll_up_some()) is not None:
        total += rolled
    return total


@one_transaction()
def _find_next() -> None:
    """Note how far a run may go once all that is under way at this moment has ended."""
    with connection.cursor() as cursor:
        # The clock is read before this transaction has a number. Whoever began to write before that moment
        # has a smaller one; whoever writes after it cannot write an id of before `next_id` unnoticed.
        cursor.execute(_CLOCK)
        now, stragglers_are_noted = cursor.fetchone()
        watermark = _locked_watermark()
        if watermark is None or not stragglers_are_noted:
            return
        next_id = first_id_at(now - BEHIND)
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        (transaction,) = cursor.fetchone()
        # A number that has not been given out yet is of another server, whose data was restored here.
        is_waited_for = watermark.next_transaction is not None and watermark.next_transaction < transaction
        if next_id > watermark.rolled_up_to and not is_waited_for:
            UsageWatermark.objects.filter(pk=1).update(next_id=next_id, next_transaction=transaction)


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _roll_up_some() -> int | None:
    """Events that were rolled up; None when none are left, when another run has the watermark, or when one
    that may still write an id of before `next_id` is under way.
    """
    servers.ask_each_by_one_connection()
    watermark = _locked_watermark()
    if watermark is None or watermark.next_id is None or watermark.next_transaction is None:
        return None
    if not is_over(watermark.next_transaction):
        return None
    with connection.cursor() as cursor:
        after, last = watermark.rolled_up_to, watermark.next_id
        up_to = _end_of_slice(cursor, after, last)
        some: dict[str, Any] = {"after": after, "up_to": up_to, "most": EVENTS_PER_TRANSACTION}
        cursor.execute(_TAKE_STRAGGLERS, some)
        cursor.execute(_COUNT, some)
        rolled, stragglers = cursor.fetchone()
        for statement in (_ROLL_UP, _ROLL_UP_BY_TAG, _FORGET_STRAGGLERS):
            cursor.execute(statement, some)
    watermark.rolled_up_to = up_to
    if up_to == last and stragglers < EVENTS_PER_TRANSACTION:
        watermark.next_id = watermark.next_transaction = None
    watermark.save()
    return int(rolled)


def _locked_watermark() -> UsageWatermark | None:
    """None while another run has it."""
    return UsageWatermark.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=1).first()


def _end_of_slice(cursor: CursorWrapper, after: UUID, last: UUID) -> UUID:
    cursor.execute(
        "SELECT id FROM quota_usageevent WHERE id > %s AND id <= %s ORDER BY id OFFSET %s LIMIT 1",
        [after, last, EVENTS_PER_TRANSACTION - 1],
    )
    found = cursor.fetchone()
    return UUID(str(found[0])) if found else last


_CLOCK = """
SELECT clock_timestamp(), EXISTS (
    SELECT 1 FROM pg_trigger WHERE tgrelid = 'quota_usageevent'::regclass
        AND tgname = 'usage_with_an_older_id_is_noted' AND tgenabled IN ('O', 'A'))
"""

_NAMES = ", ".join(
    field if field in ("width_hours", "starts_at", "model", "modality") else f"{field}_id" for field in KEY
)
_READ = f"""e.team_id, e.membership_id, e.api_key_id, e.model, e.modality, e.occurred_at, e.is_undo,
        width.hours, width.name, {", ".join(f"e.{name}" for name in SUMMED)}"""
_ADDED = ", ".join(f"{name} = r.{name} + EXCLUDED.{name}" for name in ("calls", *SUMMED))


# Joined before the parts of a slice are put together: so each server of a cluster can do it by itself.
_WIDTHS = "CROSS JOIN (VALUES (1, 'hour'), (24, 'day')) AS width (hours, name)"
_TAGS = "CROSS JOIN LATERAL jsonb_array_elements_text(e.tags) AS each_tag (text)"


def _slice(read: str = "e.id", more: str = "") -> str:
    """The slice's events but for those whose straggler is not taken, and older ones whose straggler is."""
    return f"""(
    SELECT {read} FROM quota_usageevent e {more}
    WHERE e.id > %(after)s AND e.id <= %(up_to)s AND NOT EXISTS (
        SELECT 1 FROM quota_usagestraggler s WHERE s.team_id = e.team_id AND s.event_id = e.id AND NOT s.taken
    )
    UNION ALL
    SELECT {read} FROM quota_usagestraggler s
        JOIN quota_usageevent e ON e.team_id = s.team_id AND e.id = s.event_id {more}
    WHERE s.taken AND s.event_id <= %(after)s
    ) AS slice"""  # noqa: S608  (its parts are constants of ours)


def _insert(table: str, column: str, value: str, more: str = "") -> str:
    """Adds the slice to the rows of a table, by hour and by day."""
    return f"""
    INSERT INTO {table} AS r ({_NAMES}, {column}, calls, {", ".join(SUMMED)})
    SELECT team_id, hours, date_trunc(name, occurred_at, 'UTC'), membership_id, api_key_id, model,
        modality, {column}, sum(CASE WHEN is_undo THEN -1 ELSE 1 END),
        {", ".join(f"sum({name})" for name in SUMMED)}
    FROM {_slice(f"{_READ}, {value} AS {column}", f"{_WIDTHS} {more}")}
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ON CONFLICT ({_NAMES}, {column}) DO UPDATE SET {_ADDED}
    """  # noqa: S608  (its parts are constants of ours)


# Stragglers are taken before anything is counted: one that is committed meanwhile is not, and neither is its
# event, by any of the statements, each of which sees afresh. Among the slice's own events all are taken; of
# older ones so many that it stays a slice.
_TAKE_STRAGGLERS = """
UPDATE quota_usagestraggler SET taken = true
WHERE (event_id > %(after)s AND event_id <= %(up_to)s) OR event_id IN (
    SELECT event_id FROM quota_usagestraggler WHERE event_id <= %(after)s ORDER BY event_id LIMIT %(most)s
)
"""
_FORGET_STRAGGLERS = "DELETE FROM quota_usagestraggler WHERE taken"
_COUNT = f"SELECT count(*), count(*) FILTER (WHERE id <= %(after)s) FROM {_slice()}"  # noqa: S608
_ROLL_UP = _insert("quota_usagerollup", "tagged", "e.tags <> '[]'")
_ROLL_UP_BY_TAG = _insert("quota_tagrollup", "tag", "each_tag.text", _TAGS)
