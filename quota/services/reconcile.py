"""The check of charges, meters and balances, in parts: what is new by night, everything on demand.

Each part reads one snapshot and takes no locks, then notes what it has found and how far it has come. So a
run that was cut short anywhere is taken up there, and two at once do the same work twice and note it once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from quota import servers
from quota.ids import earlier
from quota.models import PlanLimit, ReconcileFinding, ReconcileRun, UncheckedSum
from quota.selectors.recent import horizon, is_over
from quota.selectors.reconcile import (
    SUMS,
    Difference,
    Slice,
    Touched,
    all_of,
    differences_now,
    differences_of_entries,
    differences_of_events,
    differences_of_holds,
    differences_of_members,
    differences_of_sums,
    end_of_part,
    newest_member,
    touched_by_entries,
    touched_by_events,
)
from quota.services.reconcile_alarms import report_drift
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

ROWS_PER_PART = 2_000
SUMS_PER_PART = 100
WHOLE_SUMS_PER_PART = 10  # each goes through all that was ever recorded of it
FINDINGS_KEPT = 1_000
# What a member has is changed by no charge, so nothing new says whom to check: all are, in turn.
MEMBERS_A_NIGHT = 20_000
# A hold is judged a day after it was made: nearly all are closed by then, and no later run looks at it
# again. One that is closed later is judged by the charge that closes it, and by a whole run.
HOLDS_LATER = timedelta(days=1)

# History has a window in the night after its end, and a night may be late.
HISTORY_LATER = timedelta(days=1)


class Progress(Enum):
    """What has become of a part of a run."""

    MORE = "there is more to do"
    # Transactions that were under way when the run began may still write what it has to read.
    WAITS = "transactions of its beginning are under way"
    ENDED = "the run has ended"


# A whole run notes all that sums are kept of, which it reads from tables of everything.
@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def begin_run(*, at: datetime, everything: bool = False) -> ReconcileRun:
    """The run that is open, or a new one, of all that is new since the last run; `everything`, and the first
    run, of all there is. A whole run takes the place of an open one that is not.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('quota.reconcile'))")
    newest = newest_member()  # first, as `horizon` wants it
    now = horizon()
    found = ReconcileRun.objects.filter(ended_at=None).first()
    if found and (found.is_whole or not everything):
        return found
    if found:
        found.ended_at, found.replaced = at, True
        found.save()
    last = ReconcileRun.objects.filter(replaced=False).order_by("pk").last()
    is_whole = everything or last is None
    holds = earlier(now.newest_hold, HOLDS_LATER)
    windows = earlier(now.newest_usage, windows_later())
    run = ReconcileRun(
        is_whole=is_whole,
        began_at=at,
        worked_at=at,
        usage_upto=now.newest_usage,
        usage_next=now.usage,
        windows_next=windows,
        holds_upto=now.newest_hold if is_whole else holds,
        holds_next=holds,
        entries_upto=now.entries,
        members_upto=newest,
        after_transaction=now.transaction,
    )
    if last and not is_whole:
        run.windows_from, run.windows_upto = last.windows_next, windows
        run.usage_from, run.holds_from, run.entries_from = last.usage_next, last.holds_next, last.entries_upto
        run.members_from = last.members_upto
        run.again_from = last.again_upto if last.again_upto < last.members_upto else 0
        run.again_upto = _end_of_members(run.again_from, last.members_upto)
    run.save()
    if is_whole:
        _note({kind: all_of(kind) for kind in SUMS})
    return run


def work_on(*, run: ReconcileRun, at: datetime) -> Progress:
    """Do the next part of the run; `at` is now. Not inside of another transaction.

    Nothing is repaired: a difference is a fault of the program, and the events are there to find it by. At
    its end the operators are mailed if it has found any.
    """
    run.refresh_from_db()
    if run.ended_at is not None:
        return Progress.ENDED
    if not is_over(run.after_transaction):
        return Progress.WAITS
    parts: dict[str, Callable[[ReconcileRun, datetime], None]] = {
        "usage": _check_events,
        "windows": _note_ended_windows,
        "holds": _check_holds,
        "entries": _check_entries,
        "members": partial(_check_members, which="members"),
        "again": partial(_check_members, which="again"),
    }
    for name, check in parts.items():
        if getattr(run, f"{name}_from") < getattr(run, f"{name}_upto"):
            check(run, at)
            return Progress.MORE
    if (some := _unchecked(run)) is None:
        return _end(run, at)
    _check_sums(run, *some, at)
    return Progress.MORE


@contextmanager
def snapshot() -> Iterator[None]:
    """All that is read inside is of one moment, and what is recorded meanwhile is no difference."""
    # On a cluster what is read is copied first, which is a write.
    mode = "READ WRITE" if servers.are_many() else "READ ONLY"
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, {mode}")
            servers.ask_each_by_one_connection()
            cursor.execute(f"SET LOCAL statement_timeout = {SWEEP_STATEMENT_TIMEOUT_MS}")
            # Before the snapshot is taken, which LOCK does not do: no month is dropped while it is read.
            cursor.execute("LOCK TABLE quota_keptcalls IN SHARE MODE")
        yield


def _check_events(run: ReconcileRun, at: datetime) -> None:
    with snapshot():
        upto = end_of_part("quota_usageevent", run.usage_from, run.usage_upto, ROWS_PER_PART)
        of = Slice(run.usage_from, upto)
        found = list(differences_of_events(of))
        touched = touched_by_events(of.after, of.upto)
    _keep(run, "usage_from", upto, found, touched, at)


def windows_later() -> timedelta:
    """How long after a charge all windows that it counts in are in history."""
    longest = PlanLimit.objects.aggregate(seconds=Max("length_seconds"))["seconds"] or 0
    return timedelta(seconds=longest) + HISTORY_LATER


def _note_ended_windows(run: ReconcileRun, at: datetime) -> None:
    with snapshot():
        upto = end_of_part("quota_usageevent", run.windows_from, run.windows_upto, ROWS_PER_PART)
        touched = touched_by_events(run.windows_from, upto)["seat"]
    _keep(run, "windows_from", upto, [], {"seat": touched}, at)


def _check_holds(run: ReconcileRun, at: datetime) -> None:
    with snapshot():
        upto = end_of_part("quota_reservation", run.holds_from, run.holds_upto, ROWS_PER_PART)
        of = Slice(run.holds_from, upto)
        found = list(differences_of_holds(of))
    _keep(run, "holds_from", upto, found, {}, at)


def _check_entries(run: ReconcileRun, at: datetime) -> None:
    with snapshot():
        upto = end_of_part("quota_creditledgerentry", run.entries_from, run.entries_upto, ROWS_PER_PART)
        found = list(differences_of_entries(run.entries_from, upto))
        touched = touched_by_entries(run.entries_from, upto)
    _keep(run, "entries_from", upto, found, touched, at)


def _check_members(run: ReconcileRun, at: datetime, *, which: str) -> None:
    with snapshot():
        after = getattr(run, f"{which}_from")
        upto = _end_of_members(after, getattr(run, f"{which}_upto"))
        found = list(differences_of_members(after, upto))
    _keep(run, f"{which}_from", upto, found, {}, at)


def _end_of_members(after: int, upto: int) -> int:
    return end_of_part("teams_membership", after, upto, MEMBERS_A_NIGHT)


def _unchecked(run: ReconcileRun) -> tuple[str, list[UncheckedSum]] | None:
    """Some sums of one kind that are still to be checked; None where there are none."""
    most = WHOLE_SUMS_PER_PART if run.is_whole else SUMS_PER_PART
    for kind in SUMS:
        of_kind = UncheckedSum.objects.filter(kind=kind).order_by("of_id", "week")
        if rows := list(of_kind[:most]):
            return kind, rows
    return None


def _check_sums(run: ReconcileRun, kind: str, rows: Sequence[UncheckedSum], at: datetime) -> None:
    with snapshot():
        touched = [Touched(row.of_id, row.since, row.until) for row in rows]
        found = list(differences_of_sums(kind, touched))
    if found and servers.are_many():
        # Servers have no snapshot in common: usage may have been rolled up between those of two.
        with snapshot():
            again = {one.about for one in differences_of_sums(kind, touched)}
        found = [one for one in found if one.about in again]
    with one_transaction():
        if _locked(run) is not None:
            UncheckedSum.objects.filter(pk__in=[row.pk for row in rows]).delete()
            _add(run, found, at)


def _end(run: ReconcileRun, at: datetime) -> Progress:
    with snapshot():
        found = list(differences_now(at))
    with one_transaction():
        if _locked(run) is not None:
            _add(run, found, at, ended_at=at)
            run.refresh_from_db()
            if run.differences:
                report_drift(run=run, at=at)
    return Progress.ENDED


@one_transaction()
def _keep(
    run: ReconcileRun,
    cursor: str,
    read: Any,
    found: Sequence[Difference],
    touched: Mapping[str, Sequence[Touched]],
    at: datetime,
) -> None:
    """Note what a part has found and touched, unless somebody else has done this part meanwhile."""
    locked = _locked(run)
    if locked is not None and getattr(locked, cursor) == getattr(run, cursor):
        if run.is_whole:  # it sums up all of whatever it meets, once
            touched = {kind: [Touched(one.id) for one in of_kind] for kind, of_kind in touched.items()}
        _note(touched)
        _add(run, found, at, **{cursor: read})


def _locked(run: ReconcileRun) -> ReconcileRun | None:
    """The run, locked, while it is open."""
    return ReconcileRun.objects.select_for_update(no_key=True).filter(pk=run.pk, ended_at=None).first()


def _add(run: ReconcileRun, found: Sequence[Difference], at: datetime, **values: Any) -> None:
    """The caller has locked the run."""
    known = set(ReconcileFinding.objects.filter(run=run).values_list("about", flat=True))
    new = {one.about: one for one in found if one.about not in known}
    ReconcileFinding.objects.bulk_create(
        ReconcileFinding(run=run, about=one.about, expected=one.expected, found=one.found)
        for one in list(new.values())[: max(FINDINGS_KEPT - len(known), 0)]
    )
    locked = ReconcileRun.objects.filter(pk=run.pk)
    count = locked.values_list("differences", flat=True).get() + len(new)
    locked.update(differences=count, worked_at=at, **values)


_NOTE = """
INSERT INTO quota_uncheckedsum AS u (kind, of_id, week, since, until)
SELECT %(kind)s, t.id, floor(extract(epoch FROM t.since) / 604800), min(t.since), max(t.until)
FROM unnest(%(ids)s::bigint[], %(since)s::timestamptz[], %(until)s::timestamptz[]) AS t (id, since, until)
GROUP BY 2, 3
ON CONFLICT (kind, of_id, week) DO UPDATE
    SET since = least(u.since, EXCLUDED.since), until = greatest(u.until, EXCLUDED.until)
"""


def _note(touched: Mapping[str, Sequence[Touched]]) -> None:
    with connection.cursor() as cursor:
        for kind, of_kind in touched.items():
            values: dict[str, Any] = {
                "kind": kind,
                "ids": [one.id for one in of_kind],
                "since": [one.since for one in of_kind],
                "until": [one.until for one in of_kind],
            }
            cursor.execute(_NOTE, values)
