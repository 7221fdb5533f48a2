"""Windows that open at their first use: what is kept of each, and what history says of those that have ended,
against the charges that count in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quota.selectors.reconcile import names
from quota.selectors.reconcile.difference import Difference, rows_of

EVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)
# By how much the clocks of servers may differ: what was recorded so shortly before history was written may
# not have been read by it.
CLOCKS_APART = timedelta(minutes=10)

# With where a bucket of each may begin: its window was open, or is, when the seat got the rule; since when a
# plan that was in force has it; and when history was last written.
_RULES = """
SELECT l.rule_key::text, make_interval(secs => l.length_seconds),
    min(e.starts_at) - make_interval(secs => l.length_seconds),
    min(e.starts_at) FILTER (WHERE e.superseded_at IS NULL OR e.superseded_at > e.starts_at),
    (SELECT j.ran_at FROM quota_jobprogress j WHERE j.job = 'close_windows')
FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id
WHERE e.seat_id = %(seat)s AND l.policy = 'first_use'
GROUP BY l.rule_key, l.length_seconds ORDER BY 1
"""
_USED = """
SELECT v.occurred_at, v.recorded_at, v.from_quota_nanousd + v.overrun_nanousd, v.first_use_starts ->> %(rule)s
FROM quota_usageevent v
WHERE v.seat_id = %(seat)s AND v.from_quota_nanousd + v.overrun_nanousd <> 0
    AND v.occurred_at > %(since)s::timestamptz - 2 * %(length)s::interval
    AND v.occurred_at < %(until)s::timestamptz + 2 * %(length)s::interval
ORDER BY v.occurred_at
"""
_BUCKETS = """
SELECT starts_at, used_nanousd FROM quota_usagebucket
WHERE seat_id = %(seat)s AND rule = %(rule)s AND used_nanousd > 0
    AND starts_at > %(since)s::timestamptz - 3 * %(length)s::interval
    AND starts_at < %(until)s::timestamptz + 3 * %(length)s::interval
"""
_HISTORY = """
SELECT starts_at, ends_at, used_nanousd FROM quota_closedwindow
WHERE seat_id = %(seat)s AND rule = %(rule)s
    AND starts_at > %(since)s::timestamptz - %(length)s::interval
    AND starts_at < %(until)s::timestamptz + %(length)s::interval
"""


@dataclass(frozen=True, slots=True)
class _Rule:
    key: str
    length: timedelta
    counts_from: datetime
    in_force_from: datetime | None
    written_at: datetime | None


@dataclass(slots=True)
class _Used:
    """In one window; when the last of it was recorded."""

    nanousd: int = 0
    recorded_at: datetime = EVER


def differences_of_first_use(
    seat_id: int, since: datetime = EVER, until: datetime = FOREVER
) -> Iterator[Difference]:
    """Of the windows in which charges count that occurred from `since` until `until`."""
    for row in rows_of(_RULES, seat=seat_id):
        yield from _of_rule(seat_id, _Rule(*row), since, until)


def _of_rule(seat_id: int, rule: _Rule, since: datetime, until: datetime) -> Iterator[Difference]:
    span = {"seat": seat_id, "rule": rule.key, "length": rule.length, "since": since, "until": until}
    buckets = dict(rows_of(_BUCKETS, **span))
    history = {start: (end, nanousd) for start, end, nanousd in rows_of(_HISTORY, **span)}
    used = _used_in_windows(rule, buckets, rows_of(_USED, **span))
    for start in sorted(used.keys() | buckets.keys() | history.keys()):
        if not (start + rule.length > since and start - rule.length < until):
            continue
        expected = used.get(start, _Used()).nanousd
        if expected != buckets.get(start, 0):
            yield _difference("usage bucket", seat_id, rule, start, expected, buckets.get(start, 0))
        yield from _of_history(seat_id, rule, start, used.get(start), history.get(start))


def _used_in_windows(
    rule: _Rule,
    buckets: Mapping[datetime, int],
    charges: Iterable[tuple[datetime, datetime, int, str | None]],
) -> dict[datetime, _Used]:
    """Where a window opened depends on what was reported before it, so a charge says which one it is in. One
    of before the seat had the rule says none: it is in the one that was open then.
    """
    used: dict[datetime, _Used] = {}
    for moment, recorded_at, nanousd, named in charges:
        if named is None and moment < rule.counts_from:
            continue
        open_then = (start for start in buckets if start <= moment < start + rule.length)
        start = datetime.fromisoformat(named) if named else max(open_then, default=moment)
        if start >= rule.counts_from:
            of_window = used.setdefault(start, _Used())
            of_window.nanousd += nanousd
            of_window.recorded_at = max(of_window.recorded_at, recorded_at)
    return used


def _of_history(
    seat_id: int, rule: _Rule, start: datetime, used: _Used | None, found: tuple[datetime, int] | None
) -> Iterator[Difference]:
    """A window is in history when it has ended, something was used in it, and a plan had its rule before its
    end. What history has not come to yet is no difference.
    """
    end = start + rule.length
    had_rule = rule.in_force_from is not None and rule.in_force_from < end
    expected = (used.nanousd or None) if used and had_rule else None
    amount = found[1] if found else None
    if expected != amount and not (
        (found is None and not _is_written(rule, end))
        or (used is not None and not _is_written(rule, used.recorded_at + CLOCKS_APART))
    ):
        yield _difference("closed window", seat_id, rule, start, expected, amount)
    if found and expected is not None and found[0] != end:
        expected_end, found_end = end.isoformat(), found[0].isoformat()
        yield _difference("end of closed window", seat_id, rule, start, expected_end, found_end)


def _is_written(rule: _Rule, moment: datetime) -> bool:
    """Whether history was written at the moment or later."""
    return rule.written_at is not None and rule.written_at >= moment


def _difference(
    what: str, seat_id: int, rule: _Rule, start: datetime, expected: object, found: object
) -> Difference:
    ((seat,),) = rows_of(f"SELECT {names.seat('%(seat)s::bigint')}", seat=seat_id)
    about = f"{what} of {seat}, {rule.key}, from {start.isoformat()}"
    return Difference(about, *("none" if one is None else str(one) for one in (expected, found)))
