"""Sums that are kept, recomputed from the events and the ledger: buckets, history, lots, months, rollups.

Each statement looks at the rows of `ids`, as far as charges that occurred from `since` until `until` count in
them; the three are lists of one length. An id may come several times, with times that may overlap: each is
looked at by itself. All amounts are nano-dollars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quota.selectors.reconcile import names
from quota.selectors.reconcile.difference import Difference, found_by, kept_calls, rows_of
from quota.selectors.reconcile.first_use import EVER, FOREVER, differences_of_first_use
from quota.selectors.reconcile.rollups import ROLLUPS


@dataclass(frozen=True, slots=True)
class Touched:
    """A seat, lot, member or API key by its id, and when the charges occurred that its sums have to be
    checked for; all of them unless said otherwise.
    """

    id: int
    since: datetime = EVER
    until: datetime = FOREVER


def differences_of_sums(kind: str, touched: Sequence[Touched]) -> Iterator[Difference]:
    """What does not agree about sums of seats, lots, members or API keys, as `kind` says. Those of which
    events have been dropped are left out.
    """
    whole = [one.id for one in touched if one.since == EVER]
    if kind != "lot" and (since := kept_calls().sums_since):
        kept = sorted((one.id, max(one.since, since), one.until) for one in touched if one.until >= since)
        # Of one id each beginning once: the last is the longest.
        touched = [Touched(*key, until) for key, until in {(id, at): until for id, at, until in kept}.items()]
    scope = {
        "whole": whole,
        "ids": [one.id for one in touched],
        "since": [one.since for one in touched],
        "until": [one.until for one in touched],
    }
    for sql in SUMS[kind]:
        yield from found_by(sql, **scope)
    if kind == "seat":
        for one in touched:
            yield from differences_of_first_use(one.id, one.since, one.until)


def all_of(kind: str) -> list[Touched]:
    """All rows of the kind that sums are kept of."""
    return [Touched(id) for (id,) in rows_of(ALL_OF[kind])]


def touched_by_events(after: UUID, upto: UUID) -> dict[str, list[Touched]]:
    """What the charges count in that have ids above `after`, up to `upto`, by kind."""
    return {
        kind: [Touched(*row) for row in rows_of(sql, after=after, upto=upto)]
        for kind, sql in TOUCHED_BY_EVENTS.items()
    }


def touched_by_entries(after: int, upto: int) -> dict[str, list[Touched]]:
    """The lots of the ledger entries that have ids above `after`, up to `upto`."""
    return {"lot": [Touched(id) for (id,) in rows_of(LOTS_TOUCHED, after=after, upto=upto)]}


# Usage may be of months ago: what was used between it and the new is not summed up for it.
def _touched(column: str, which: str) -> str:
    return f"""
SELECT v.{column}, min(v.occurred_at), max(v.occurred_at) FROM quota_usageevent v
WHERE v.id > %(after)s AND v.id <= %(upto)s AND {which}
GROUP BY v.{column}, date_bin('7 days', v.occurred_at, 'epoch')
"""  # noqa: S608  (its parts are constants of ours)


TOUCHED_BY_EVENTS = {
    "seat": _touched("seat_id", "v.seat_id IS NOT NULL"),
    "member": _touched("membership_id", "v.from_credits_nanousd <> 0"),
    "reports": _touched("membership_id", "true"),
    "api_key": _touched("api_key_id", "v.from_balance_nanousd <> 0"),
}
LOTS_TOUCHED = """
SELECT DISTINCT l.grant_id FROM quota_creditledgerentry l WHERE l.id > %(after)s AND l.id <= %(upto)s
"""
ALL_OF = {
    "seat": "SELECT DISTINCT seat_id FROM (SELECT seat_id FROM quota_entitlement"
    " UNION ALL SELECT seat_id FROM quota_usagebucket) s ORDER BY 1",
    "lot": "SELECT id FROM quota_creditgrant ORDER BY 1",
    "member": "SELECT DISTINCT membership_id FROM quota_creditmonth ORDER BY 1",
    "reports": "SELECT DISTINCT membership_id FROM quota_usagerollup ORDER BY 1",
    "api_key": "SELECT DISTINCT api_key_id FROM quota_apikeymonth ORDER BY 1",
}

_SCOPE = """scope AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(since)s::timestamptz[], %(until)s::timestamptz[])
        AS scope (id, since, until)
)"""


def _utc(moment: str) -> str:
    """As Python writes it."""
    return f"(to_jsonb({moment} AT TIME ZONE 'UTC') #>> '{{}}') || '+00:00'"


# Every window rule that a seat was ever entitled to, but for first_use, and where its first bucket may begin:
# a window that was open when the seat got the rule reaches back there. Not by the database function that
# charges go by, whose mistake would be in both.
_SEAT_RULE = """seat_rule AS (
    SELECT r.*, CASE r.policy WHEN 'fixed' THEN date_bin(r.length, r.ruled_at, r.origin)
        ELSE date_bin(r.length / 60, r.ruled_at, 'epoch') - r.length / 60 * 59 END AS counts_from
    FROM (
        SELECT s.id AS seat_id, s.since, s.until, l.rule_key AS rule, l.policy, min(e.starts_at) AS ruled_at,
            make_interval(secs => l.length_seconds) AS length,
            'epoch'::timestamptz + make_interval(
                secs => coalesce(nullif(split_part(l.rule_key, '@', 2), ''), '0')::int
            ) AS origin
        FROM scope s JOIN quota_entitlement e ON e.seat_id = s.id
            JOIN quota_planlimit l ON l.plan_id = e.plan_id
        WHERE l.policy <> 'first_use'
        GROUP BY s.id, s.since, s.until, l.rule_key, l.policy, l.length_seconds
    ) r
)"""

BUCKETS = f"""
WITH {_SCOPE}, {_SEAT_RULE}, expected AS (
    SELECT r.seat_id, r.since, r.rule, date_bin(w.width, v.occurred_at, r.origin) AS starts_at,
        sum(v.from_quota_nanousd + v.overrun_nanousd) AS nanousd
    FROM seat_rule r
        CROSS JOIN LATERAL (SELECT r.length / CASE r.policy WHEN 'rolling' THEN 60 ELSE 1 END AS width) w
        JOIN quota_usageevent v ON v.seat_id = r.seat_id
            AND v.occurred_at >= date_bin(w.width, r.since, r.origin)
            AND v.occurred_at < date_bin(w.width, r.until, r.origin) + w.width
            AND v.occurred_at >= r.counts_from
    GROUP BY 1, 2, 3, 4
), found AS (
    SELECT b.seat_id, r.since, b.rule, b.starts_at, b.used_nanousd AS nanousd
    FROM seat_rule r JOIN quota_usagebucket b ON b.seat_id = r.seat_id AND b.rule = r.rule
        AND b.starts_at <= r.until
        AND b.starts_at > r.since - r.length / CASE r.policy WHEN 'rolling' THEN 60 ELSE 1 END
)
SELECT format('usage bucket of %%s, %%s, from %%s', {names.seat("seat_id")}, rule,
        {_utc("starts_at")}),
    coalesce(expected.nanousd, 0), coalesce(found.nanousd, 0)
FROM expected FULL JOIN found USING (seat_id, since, rule, starts_at)
WHERE coalesce(expected.nanousd, 0) <> coalesce(found.nanousd, 0)
ORDER BY seat_id, rule, starts_at
"""  # noqa: S608  (its parts are constants of ours)

# Only where all of a seat is looked at: its plans say which rules its buckets may have.
STRAY_BUCKETS = f"""
SELECT format('usage buckets of %%s, %%s', {names.seat("s.id")}, b.rule),
    'none, since no plan of it has the rule,', count(*)
FROM unnest(%(whole)s::bigint[]) AS s (id) JOIN quota_usagebucket b ON b.seat_id = s.id
WHERE NOT EXISTS (
    SELECT 1 FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id AND l.rule_key = b.rule
    WHERE e.seat_id = s.id
)
GROUP BY s.id, b.rule ORDER BY s.id, b.rule
"""  # noqa: S608

# Windows that had ended when all of history was last written, or that it has come to since, and into which
# nothing was reported since (ten minutes are for servers whose clocks differ).
CLOSED_WINDOWS = f"""
WITH {_SCOPE}, {_SEAT_RULE}, written AS (
    SELECT ran_at AS at FROM quota_jobprogress WHERE job = 'close_windows' AND ran_at IS NOT NULL
), used AS (
    SELECT r.seat_id, r.since, r.rule, start.at AS starts_at, start.at + r.length AS ends_at, v.recorded_at,
        v.from_quota_nanousd + v.overrun_nanousd AS nanousd
    FROM seat_rule r
        CROSS JOIN LATERAL (SELECT CASE r.policy WHEN 'rolling' THEN 'epoch' ELSE r.origin END AS origin) h
        JOIN quota_usageevent v ON v.seat_id = r.seat_id
            AND v.occurred_at >= date_bin(r.length, r.since, h.origin)
            AND v.occurred_at < date_bin(r.length, r.until, h.origin) + r.length
        CROSS JOIN LATERAL (SELECT date_bin(r.length, v.occurred_at, h.origin) AS at) start
), expected AS (
    SELECT u.seat_id, u.since, u.rule, u.starts_at, u.ends_at, max(u.recorded_at) AS recorded_at,
        CASE WHEN EXISTS (
            SELECT 1 FROM quota_entitlement e
                JOIN quota_planlimit l ON l.plan_id = e.plan_id AND l.rule_key = u.rule
            WHERE e.seat_id = u.seat_id AND e.starts_at < u.ends_at
                AND (e.superseded_at IS NULL OR e.superseded_at > e.starts_at)
        ) THEN sum(u.nanousd) ELSE 0 END AS nanousd
    FROM used u
    GROUP BY u.seat_id, u.since, u.rule, u.starts_at, u.ends_at
), found AS (
    SELECT r.seat_id, r.since, r.rule, c.starts_at, c.ends_at, c.used_nanousd AS nanousd
    FROM seat_rule r JOIN quota_closedwindow c ON c.seat_id = r.seat_id AND c.rule = r.rule
        AND c.starts_at > r.since - r.length AND c.starts_at <= r.until
    UNION ALL
    -- Of rules that no plan of the seat has, as of buckets: only where all of the seat is looked at.
    SELECT c.seat_id, s.since, c.rule, c.starts_at, c.ends_at, c.used_nanousd
    FROM scope s JOIN quota_closedwindow c
        ON c.seat_id = s.id AND c.ends_at > s.since AND c.starts_at <= s.until
    WHERE s.id = ANY(%(whole)s) AND NOT EXISTS (
        SELECT 1 FROM quota_entitlement e
            JOIN quota_planlimit l ON l.plan_id = e.plan_id AND l.rule_key = c.rule
        WHERE e.seat_id = c.seat_id
    )
)
SELECT format('%%s of %%s, %%s, from %%s', c.what, {names.seat("seat_id")}, rule, {_utc("starts_at")}),
    c.expected, c.found
FROM expected FULL JOIN found USING (seat_id, since, rule, starts_at) LEFT JOIN written ON true
    CROSS JOIN LATERAL (
        SELECT 'closed window' AS what, coalesce(nullif(expected.nanousd, 0)::text, 'none') AS expected,
            coalesce(found.nanousd::text, 'none') AS found
        WHERE (expected.recorded_at IS NULL OR expected.recorded_at <= written.at - interval '10 minutes')
            AND (found.ends_at IS NOT NULL OR expected.ends_at <= written.at)
        UNION ALL
        SELECT 'end of closed window', {_utc("expected.ends_at")}, {_utc("found.ends_at")}
    ) AS c
WHERE c.expected <> c.found
ORDER BY seat_id, rule, starts_at
"""  # noqa: S608

# What a lot gained, by the entries that are kept and by the closing balances of those that are not.
_GAINED = """LEFT JOIN LATERAL (
    SELECT sum(e.amount_nanousd) AS nanousd,
        sum(e.amount_nanousd) FILTER (WHERE e.is_grant) AS granted_nanousd
    FROM (
        SELECT l.amount_nanousd, l.kind IN ('purchase', 'voucher') AS is_grant
        FROM quota_creditledgerentry l WHERE l.grant_id = g.id
        UNION ALL
        SELECT c.amount_nanousd, c.kind IN ('purchase', 'voucher')
        FROM quota_closingbalance c WHERE c.grant_id = g.id
    ) e
) gained ON true"""
LOTS = f"""
WITH {_SCOPE}
SELECT format('%%s left in %%s',
        CASE g.account WHEN 'credits' THEN 'Credits' ELSE 'API balance' END, {names.lot("g.id")}),
    coalesce(gained.nanousd, 0), g.remaining_nanousd
FROM (SELECT DISTINCT id FROM scope) s JOIN quota_creditgrant g ON g.id = s.id {_GAINED}
WHERE coalesce(gained.nanousd, 0) <> g.remaining_nanousd
ORDER BY g.id
"""  # noqa: S608

# What a lot was worth when it was granted is its first entry.
GRANTS = f"""
WITH {_SCOPE}
SELECT format('granted by %%s, in the ledger', {names.lot("g.id")}), g.amount_nanousd,
    coalesce(gained.granted_nanousd, 0)
FROM (SELECT DISTINCT id FROM scope) s JOIN quota_creditgrant g ON g.id = s.id {_GAINED}
WHERE coalesce(gained.granted_nanousd, 0) <> g.amount_nanousd
ORDER BY g.id
"""  # noqa: S608

# A closing balance is of the lot's own Team and account, and of a month that has been dropped.
CLOSED = f"""
WITH {_SCOPE}
SELECT format('closing balance of %%s, %%s of before %%s', {names.lot("g.id")}, c.kind,
        to_char(c.until AT TIME ZONE 'UTC', 'YYYY-MM-DD')),
    'one of a month that was dropped, of its Team and account', 'another'
FROM (SELECT DISTINCT id FROM scope) s JOIN quota_creditgrant g ON g.id = s.id
    JOIN quota_closingbalance c ON c.grant_id = g.id
    LEFT JOIN quota_keptcalls k ON quota_first_id(c.until) <= k.ledger_from
WHERE c.team_id <> g.team_id OR c.account <> g.account OR k.id IS NULL
ORDER BY g.id, c.until, c.kind
"""  # noqa: S608


def _months(what: str, named: str, column: str, amount: str, table: str) -> str:
    return f"""
WITH {_SCOPE}, months AS (
    SELECT id, date_trunc('month', since AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS since,
        (date_trunc('month', max(until) AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC' AS until
    FROM scope GROUP BY 1, 2
), expected AS (
    SELECT v.{column}, s.since, date_trunc('month', v.occurred_at AT TIME ZONE 'UTC')::date AS month,
        sum(v.{amount}) AS nanousd
    FROM months s JOIN quota_usageevent v ON v.{column} = s.id AND v.occurred_at >= s.since
        AND v.occurred_at < s.until
    WHERE v.{amount} <> 0 GROUP BY 1, 2, 3
), found AS (
    SELECT m.{column}, s.since, m.month, m.used_nanousd
    FROM months s JOIN {table} m ON m.{column} = s.id AND m.month >= (s.since AT TIME ZONE 'UTC')::date
        AND m.month < (s.until AT TIME ZONE 'UTC')::date
)
SELECT format('{what} %%s in %%s', {named}, to_char(month, 'YYYY-MM')),
    coalesce(expected.nanousd, 0), coalesce(found.used_nanousd, 0)
FROM expected FULL JOIN found USING ({column}, since, month)
WHERE coalesce(expected.nanousd, 0) <> coalesce(found.used_nanousd, 0)
ORDER BY {column}, month
"""  # noqa: S608


MONTHS = _months(
    "Credits used by",
    names.member("membership_id"),
    "membership_id",
    "from_credits_nanousd",
    "quota_creditmonth",
)
API_KEY_MONTHS = _months(
    "API balance used by",
    names.api_key("api_key_id"),
    "api_key_id",
    "from_balance_nanousd",
    "quota_apikeymonth",
)

SUMS: dict[str, tuple[str, ...]] = {
    "seat": (BUCKETS, STRAY_BUCKETS, CLOSED_WINDOWS),
    "lot": (LOTS, GRANTS, CLOSED),
    "member": (MONTHS,),
    "reports": (ROLLUPS,),
    "api_key": (API_KEY_MONTHS,),
}
