"""Windows that open at their first use, laid out anew from the charges that count in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from quota.selectors.reconcile import names
from quota.selectors.reconcile.difference import Difference, kept_calls, rows_of

EVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)

_RULES = """
SELECT DISTINCT l.rule_key::text, l.length_seconds
FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id
WHERE e.seat_id = %(seat)s AND l.policy = 'first_use'
ORDER BY 1
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
    AND starts_at > %(since)s::timestamptz - %(length)s::interval
    AND starts_at < %(until)s::timestamptz + %(length)s::interval
"""


def differences_of_first_use(
    seat_id: int, since: datetime = EVER, until: datetime = FOREVER
) -> Iterator[Difference]:
    """Of the windows in which charges count that occurred from `since` until `until`."""
    for rule, seconds in rows_of(_RULES, seat=seat_id):
        yield from _of_rule(seat_id, rule, timedelta(seconds=seconds), since, until)


def _of_rule(
    seat_id: int, rule: str, length: timedelta, since: datetime, until: datetime
) -> Iterator[Difference]:
    """Where a window opened depends on what was reported before it, so a charge says which one it is in."""
    of_rule = {"seat": seat_id, "rule": rule, "length": length, "since": since, "until": until}
    used = rows_of(_USED, **of_rule)
    # What was used before the seat had the rule was laid out when it got it: from the first of it on.
    unnamed = [(moment, nanousd) for moment, nanousd, named in used if named is None]
    if unnamed and kept_calls().sums_since:
        return  # what was used first may no longer be kept
    if unnamed and since > EVER:
        yield from _of_rule(seat_id, rule, length, EVER, FOREVER)
        return
    expected = _laid_out(unnamed, length)
    for _moment, nanousd, named in used:
        if named is not None:
            start = datetime.fromisoformat(named)
            expected[start] = expected.get(start, 0) + nanousd
    found = dict(rows_of(_KEPT, **of_rule))
    for start in sorted(expected.keys() | found.keys()):
        is_near = start + length > since and start - length < until
        if is_near and expected.get(start, 0) != found.get(start, 0):
            ((seat,),) = rows_of(f"SELECT {names.seat('%(seat)s::bigint')}", seat=seat_id)
            about = f"usage bucket of {seat}, {rule}, from {start.isoformat()}"
            yield Difference(about, str(expected.get(start, 0)), str(found.get(start, 0)))


def _laid_out(used: Sequence[tuple[datetime, int]], length: timedelta) -> dict[datetime, int]:
    """The windows that this usage, in its order, opens one after the other."""
    windows: dict[datetime, int] = {}
    start: datetime | None = None
    for moment, nanousd in used:
        if start is None or moment >= start + length:
            start = moment
        windows[start] = windows.get(start, 0) + nanousd
    return windows
