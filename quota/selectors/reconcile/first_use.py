"""Windows that open at their first use: what is kept of each against the charges that count in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from quota.selectors.reconcile import names
from quota.selectors.reconcile.difference import Difference, rows_of

EVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)

# With where a bucket of each may begin: its window was open, or is, when the seat got the rule.
_RULES = """
SELECT l.rule_key::text, l.length_seconds, min(e.starts_at) - make_interval(secs => l.length_seconds)
FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id
WHERE e.seat_id = %(seat)s AND l.policy = 'first_use'
GROUP BY l.rule_key, l.length_seconds ORDER BY 1
"""
_USED = """
SELECT v.occurred_at, v.from_quota_nanousd + v.overrun_nanousd, v.first_use_starts ->> %(rule)s
FROM quota_usageevent v
WHERE v.seat_id = %(seat)s AND v.from_quota_nanousd + v.overrun_nanousd <> 0
    AND v.occurred_at > %(since)s::timestamptz - 2 * %(length)s::interval
    AND v.occurred_at < %(until)s::timestamptz + 2 * %(length)s::interval
ORDER BY v.occurred_at
"""
_KEPT = """
SELECT starts_at, used_nanousd FROM quota_usagebucket
WHERE seat_id = %(seat)s AND rule = %(rule)s AND used_nanousd > 0
    AND starts_at > %(since)s::timestamptz - 3 * %(length)s::interval
    AND starts_at < %(until)s::timestamptz + 3 * %(length)s::interval
"""


def differences_of_first_use(
    seat_id: int, since: datetime = EVER, until: datetime = FOREVER
) -> Iterator[Difference]:
    """Of the windows in which charges count that occurred from `since` until `until`."""
    for rule, seconds, counts_from in rows_of(_RULES, seat=seat_id):
        yield from _of_rule(seat_id, rule, timedelta(seconds=seconds), counts_from, since, until)


def _of_rule(
    seat_id: int, rule: str, length: timedelta, counts_from: datetime, since: datetime, until: datetime
) -> Iterator[Difference]:
    """Where a window opened depends on what was reported before it, so a charge says which one it is in. One
    of before the seat had the rule says none: it is in the one that was open then.
    """
    of_rule = {"seat": seat_id, "rule": rule, "length": length, "since": since, "until": until}
    found = dict(rows_of(_KEPT, **of_rule))
    expected: dict[datetime, int] = {}
    for moment, nanousd, named in rows_of(_USED, **of_rule):
        if named is None and moment < counts_from:
            continue
        open_then = (start for start in found if start <= moment < start + length)
        start = datetime.fromisoformat(named) if named else max(open_then, default=moment)
        if start >= counts_from:
            expected[start] = expected.get(start, 0) + nanousd
    for start in sorted(expected.keys() | found.keys()):
        is_near = start + length > since and start - length < until
        if is_near and expected.get(start, 0) != found.get(start, 0):
            ((seat,),) = rows_of(f"SELECT {names.seat('%(seat)s::bigint')}", seat=seat_id)
            about = f"usage bucket of {seat}, {rule}, from {start.isoformat()}"
            yield Difference(about, str(expected.get(start, 0)), str(found.get(start, 0)))
