"""Usage in bulk, for gateways that flush. What is usual is charged many rows at once; every other row is a
transaction of its own, so a bad one rejects itself alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from quota.hot_path.batches import LEFT, REPEATED, NotHere
from quota.hot_path.credentials import CredentialEnded, check_recognised
from quota.hot_path.draws import Drawn, Settlement, draw_from
from quota.hot_path.events import ReportedEvent, record_event
from quota.hot_path.free_rows import InTheWay, lock_all_if_free
from quota.hot_path.gathered_draws import draw_gathered
from quota.hot_path.gathered_events import record_gathered
from quota.hot_path.state import locked_reservation_state
from quota.models import Gateway, Reservation, UsageEvent
from tokenplan.kit.errors import Refusal
from tokenplan.kit.problems import UNAVAILABLE
from tokenplan.kit.transactions import broken_constraint, state_of

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Settlement | ReportedEvent)
# What was recorded; None: it was recorded before.
Made = Drawn | UsageEvent | None
ONE_EVENT_PER_ID = "one_event_per_id"
# States of SQL: a deadlock, a lock or a statement that took too long. The database is there.
IN_THE_WAY = ("40P01", "55P03", "57014")
# So many rows are one transaction: few enough that the seats which it locks are soon free for calls again.
ROWS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of a row: recorded, seen before, or refused (or failed, for a reason nobody foresaw).
    `ended`: the hold it names, if its key or seat has gone.
    """

    is_new: bool = False
    refusal: Exception | None = None
    ended: UUID | None = None


@dataclass
class _Waits:
    """What a report has waited for in vain: its rows many at once, and a row of it alone. Each is waited for
    once; from then on the rows that others have locked are left, and are in the way of nobody else's.
    `ended_by`: what has to be said of the rows that were left.
    """

    at_once: bool = False
    alone: bool = False
    ended_by: Exception | None = None


def settle_many(
    *, gateway: Gateway, settlements: Sequence[Settlement], at: datetime | None = None
) -> list[RowResult]:
    """Draw each from its hold; results in the order given. All that is accepted is durable when this
    returns. `at` is the moment of each, UTC; None: the database's clock after the locks.

    Raises one of UNAVAILABLE where a row could not be recorded because of a lock. Then all others are.
    """
    return _each(
        settlements,
        check=lambda: check_recognised(gateway, at),
        at_once=lambda rows: draw_gathered(rows, gateway=gateway, at=at),
        alone=lambda row: _settle(gateway, row, at, replayed_from=None),
    )


def record_events(
    *, gateway: Gateway, events: Sequence[ReportedEvent], at: datetime | None = None
) -> list[RowResult]:
    """Record each; results in the order given. All that is accepted is durable when this returns. Each call
    counts at its own moment; `at` is when it is reported, UTC; None: the database's clock after the locks.

    Raises one of UNAVAILABLE where a row could not be recorded because of a lock. Then all others are.
    """
    return _each(
        events,
        check=lambda: check_recognised(gateway, at),
        at_once=lambda rows: record_gathered(rows, gateway=gateway, at=at),
        alone=lambda row: record_event(gateway=gateway, event=row, at=at),
    )


def replay(*, gateway: Gateway, row: Settlement | ReportedEvent, received_at: datetime, at: datetime) -> bool:
    """Record a row for an operator, in the caller's transaction: however late, and though its hold is closed.
    What names no moment counts when it was received. Whether it was new. Raises what recording it raises.
    """
    if isinstance(row, ReportedEvent):
        return _result_of(record_event(gateway=gateway, event=row, at=at, replayed_from=received_at)).is_new
    return _settle(gateway, row, at, replayed_from=received_at).is_new


def _settle(
    gateway: Gateway, row: Settlement, at: datetime | None, *, replayed_from: datetime | None
) -> Drawn:
    locked = locked_reservation_state(row.reservation_id, at=at)
    check_recognised(gateway, locked.at)
    return draw_from(
        locked, row.report, gateway=gateway, closes=row.closes, at=locked.at, replayed_from=replayed_from
    )


def _each(
    rows: Sequence[Row],
    *,
    check: Callable[[], None],
    at_once: Callable[[Sequence[Row]], Sequence[Made | NotHere]],
    alone: Callable[[Row], Made],
) -> list[RowResult]:
    """What became of each row. What is left of some is done before the next are begun. What is done at once
    is undone where `check`, once its locks are there, raises; what is done alone checks that itself.
    """
    results: list[RowResult] = []
    waits = _Waits()

    def checked(rows: Sequence[Row]) -> Sequence[Made | NotHere]:
        answers = at_once(rows)
        check()
        return answers

    for first in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[first : first + ROWS_AT_ONCE]
        for row, answer in zip(some, _at_once(checked, some, waits), strict=True):
            if answer is REPEATED:
                results.append(RowResult())
            elif isinstance(answer, NotHere):
                results.append(_alone(alone, row, waits))
            else:
                results.append(_result_of(answer))
    _flush()
    if waits.ended_by is not None:
        # There is no code for a row that is to be sent again, and what is rejected is not. So the whole
        # report is: then the others are recorded already.
        raise waits.ended_by
    return results


def _at_once(
    work: Callable[[Sequence[Row]], Sequence[Made | NotHere]], rows: Sequence[Row], waits: _Waits
) -> Sequence[Made | NotHere]:
    """The answers of one transaction; where it failed, all of it is undone and each row is left. Where it
    waited in vain, it is done once more without what others have locked.
    """
    try:
        if waits.at_once:
            return _committed(lambda: _of_those_free(work, rows))
        return _committed(lambda: work(rows))
    except CredentialEnded:
        raise
    except Exception as error:
        if isinstance(error, UNAVAILABLE):
            if state_of(error) not in IN_THE_WAY:
                raise
            if not waits.at_once:
                waits.at_once = True
                return _at_once(work, rows, waits)
        # One of them is wrong, or another connection was first with one of the ids. Alone each says so.
        logger.info("%s rows go alone: %s", len(rows), error)
        return [LEFT] * len(rows)


def _of_those_free(
    work: Callable[[Sequence[Row]], Sequence[Made | NotHere]], rows: Sequence[Row]
) -> Sequence[Made | NotHere]:
    free = [lock_all_if_free(row, credits=False) for row in rows]
    answers = iter(work([row for row, here in zip(rows, free, strict=True) if here]))
    return [next(answers) if here else LEFT for here in free]


def _alone(record: Callable[[Row], Made], row: Row, waits: _Waits) -> RowResult:
    """What became of one row. One that a lock was in the way of is `waits`'s to say."""

    def record_if_free(row: Row) -> Made:
        if not lock_all_if_free(row, credits=True):
            raise InTheWay  # nobody reads its words
        return record(row)

    try:
        return _row(partial(record_if_free if waits.alone else record, row))
    except UNAVAILABLE as error:
        if not isinstance(error, InTheWay) and state_of(error) not in IN_THE_WAY:
            raise
        waits.alone, waits.ended_by = True, error
        return RowResult(refusal=error)


def _result_of(made: Drawn | UsageEvent | None) -> RowResult:
    if not isinstance(made, Drawn):
        return RowResult(is_new=made is not None)
    ended = made.event.reservation_id if made.state == Reservation.State.ENDED else None
    return RowResult(is_new=made.is_new, ended=ended)


def _row(record: Callable[[], Made]) -> RowResult:
    """One row, in a transaction of its own. What is wrong with it is its result, and the others go on; only
    an outage, or a lock, is no row's fault.

    Rows do not wait for the disk one by one: `_flush` does, once, before the answer leaves.
    """
    try:
        return _result_of(_committed(record))
    except (*UNAVAILABLE, CredentialEnded):
        raise
    except Refusal as error:
        # By the places that it came through it would keep what the row was worked with, 5 kB a row, until
        # Python looks for cycles. What nobody foresaw keeps them: they are logged.
        return RowResult(refusal=error.with_traceback(None))
    except IntegrityError as error:
        if broken_constraint(error) != ONE_EVENT_PER_ID:
            return RowResult(refusal=error)
    except Exception as error:
        return RowResult(refusal=error)
    # Another connection was first with this id, under another key. It has committed, so now it is found.
    return _row(record)


Value = TypeVar("Value")


def _committed(record: Callable[[], Value]) -> Value:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        return record()


def _flush() -> None:
    """Wait until every commit so far is on the disk: the log is written in order, so one such wait is enough.

    PostgreSQL waits only for a transaction that wrote something; an empty message in its log is something.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_logical_emit_message(true, 'tokenplan', '')")
