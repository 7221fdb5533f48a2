"""Every balance and meter, recomputed from the events and the ledger, beside what the rows say.

The sums are made here by SQL that shares nothing with the code that keeps them, so that no mistake
is in both. All amounts are nano-dollars.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import F

from quota.models import Entitlement, UsageBucket, UsageEvent
from quota.windows import Policy, Rule, first_use_buckets


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not agree. `str()` of it is one line for a person."""

    about: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.about}: {self.expected} expected, {self.found} found"


def differences(at: datetime) -> Iterator[Difference]:
    """All there are; `at` is the moment that live holds are judged at.

    The caller gives all of it one snapshot, or what is recorded meanwhile looks like a difference.
    """
    for sql in CHECKS:
        yield from _rows(sql, at)
    yield from _first_use_buckets()


def _rows(sql: str, at: datetime) -> Iterator[Difference]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"at": at})
        for about, expected, found in cursor.fetchall():
            yield Difference(about, str(expected), str(found))


def _first_use_buckets() -> Iterator[Difference]:
    """Where a window opened depends on what was reported before it, so an event says which one it is in."""
    prefix = f"{Policy.FIRST_USE}/"
    seat_rules = Entitlement.objects.filter(plan__limits__rule_key__startswith=prefix)
    kept: dict[tuple[int, str], dict[datetime, int]] = {
        pair: {} for pair in seat_rules.values_list("seat_id", "plan__limits__rule_key").distinct()
    }
    for bucket in UsageBucket.objects.filter(rule__startswith=prefix, used_nanousd__gt=0):
        kept.setdefault((bucket.seat_id, bucket.rule), {})[bucket.starts_at] = bucket.used_nanousd
    for (seat_id, rule_key), found in sorted(kept.items()):
        nanousd = F("from_quota_nanousd") + F("overrun_nanousd")
        events = UsageEvent.objects.filter(seat_id=seat_id).annotate(nanousd=nanousd).exclude(nanousd=0)
        usage = list(events.values_list("occurred_at", "nanousd", "first_use_starts"))
        # What was used before the seat had the rule was laid out when it got it; all else names its window.
        before = [(moment, used) for moment, used, starts in usage if rule_key not in starts]
        expected = {b.starts_at: b.used for b in first_use_buckets(Rule.from_key(rule_key), before)}
        for _moment, used, starts in usage:
            if rule_key in starts:
                start = datetime.fromisoformat(starts[rule_key])
                expected[start] = expected.get(start, 0) + used
        for start in sorted(expected.keys() | found.keys()):
            if expected.get(start, 0) != found.get(start, 0):
                about = f"usage bucket of seat {seat_id}, {rule_key}, from {start.isoformat()}"
                yield Difference(about, str(expected.get(start, 0)), str(found.get(start, 0)))


BUCKETS = """
WITH seat_rule AS (
    SELECT DISTINCT e.seat_id, l.rule_key AS rule,
        make_interval(secs => l.length_seconds / CASE l.policy WHEN 'rolling' THEN 60 ELSE 1 END) AS width,
        'epoch'::timestamptz
            + make_interval(secs => coalesce(nullif(split_part(l.rule_key, '@', 2), ''), '0')::int) AS origin
    FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id
    WHERE l.policy <> 'first_use'
), expected AS (
    SELECT r.seat_id, r.rule, date_bin(r.width, v.occurred_at, r.origin) AS starts_at,
        sum(v.from_quota_nanousd + v.overrun_nanousd) AS nanousd
    FROM seat_rule r JOIN quota_usageevent v ON v.seat_id = r.seat_id
    GROUP BY 1, 2, 3
), found AS (
    SELECT seat_id, rule, starts_at, used_nanousd AS nanousd FROM quota_usagebucket
    WHERE rule NOT LIKE 'first_use/%%'
)
SELECT format('usage bucket of seat %%s, %%s, from %%s', seat_id, rule,
        to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')),
    coalesce(expected.nanousd, 0), coalesce(found.nanousd, 0)
FROM expected FULL JOIN found USING (seat_id, rule, starts_at)
WHERE coalesce(expected.nanousd, 0) <> coalesce(found.nanousd, 0)
ORDER BY seat_id, rule, starts_at
"""

LOTS = """
SELECT format('%%s left in lot %%s',
        CASE g.account WHEN 'credits' THEN 'Credits' ELSE 'API balance' END, g.id),
    coalesce(sum(l.amount_nanousd), 0), g.remaining_nanousd
FROM quota_creditgrant g LEFT JOIN quota_creditledgerentry l ON l.grant_id = g.id
GROUP BY g.id HAVING coalesce(sum(l.amount_nanousd), 0) <> g.remaining_nanousd
ORDER BY g.id
"""

LEDGER = """
WITH used AS (
    SELECT event_id AS id, -sum(amount_nanousd) AS nanousd FROM quota_creditledgerentry
    WHERE kind IN ('use', 'correction') GROUP BY event_id
)
SELECT format('%%s used by event %%s, in the ledger',
        CASE WHEN v.api_key_id IS NULL THEN 'Credits' ELSE 'API balance' END, id),
    v.from_credits_nanousd + v.from_balance_nanousd + coalesce(o.paid, 0), coalesce(used.nanousd, 0)
FROM quota_usageevent v LEFT JOIN used USING (id)
    -- Whoever undoes a charge gives back what was paid of it later, too.
    LEFT JOIN (
        SELECT p.event_id, p.owed_nanousd - p.left_nanousd - p.waived_nanousd AS paid FROM quota_owedusage p
        UNION ALL
        SELECT u.id, -(p.owed_nanousd - p.left_nanousd - p.waived_nanousd)
        FROM quota_owedusage p JOIN quota_usageevent u ON u.corrects_id = p.event_id AND u.is_undo
    ) o ON o.event_id = v.id
WHERE v.from_credits_nanousd + v.from_balance_nanousd + coalesce(o.paid, 0) <> coalesce(used.nanousd, 0)
ORDER BY id
"""

OWED = """
SELECT format('usage owed for event %%s', v.id),
    CASE WHEN v.seat_id IS NULL THEN v.overrun_nanousd ELSE 0 END, coalesce(o.owed_nanousd, 0)
FROM quota_usageevent v LEFT JOIN quota_owedusage o ON o.event_id = v.id
WHERE NOT v.is_undo
    AND CASE WHEN v.seat_id IS NULL THEN v.overrun_nanousd ELSE 0 END <> coalesce(o.owed_nanousd, 0)
ORDER BY v.id
"""

MONTHS = """
WITH expected AS (
    SELECT membership_id, date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date AS month,
        sum(from_credits_nanousd) AS nanousd
    FROM quota_usageevent WHERE from_credits_nanousd <> 0 GROUP BY 1, 2
)
SELECT format('Credits of membership %%s in %%s', membership_id, to_char(month, 'YYYY-MM')),
    coalesce(expected.nanousd, 0), coalesce(found.used_nanousd, 0)
FROM expected FULL JOIN quota_creditmonth found USING (membership_id, month)
WHERE coalesce(expected.nanousd, 0) <> coalesce(found.used_nanousd, 0)
ORDER BY membership_id, month
"""

API_KEY_MONTHS = """
WITH expected AS (
    SELECT api_key_id, date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date AS month,
        sum(from_balance_nanousd) AS nanousd
    FROM quota_usageevent WHERE from_balance_nanousd <> 0 GROUP BY 1, 2
)
SELECT format('API balance used by API key %%s in %%s', api_key_id, to_char(month, 'YYYY-MM')),
    coalesce(expected.nanousd, 0), coalesce(found.used_nanousd, 0)
FROM expected FULL JOIN quota_apikeymonth found USING (api_key_id, month)
WHERE coalesce(expected.nanousd, 0) <> coalesce(found.used_nanousd, 0)
ORDER BY api_key_id, month
"""

RESERVATIONS = """
SELECT format('state of reservation %%s', r.id),
    CASE WHEN r.state = 'settled' THEN 'an event, since it is settled,'
        ELSE 'settled, since it has the event that settles it,' END,
    CASE WHEN r.state = 'settled' THEN 'none' ELSE r.state END
FROM quota_reservation r
WHERE CASE WHEN r.state = 'settled'
    THEN NOT EXISTS (SELECT 1 FROM quota_usageevent v WHERE v.reservation_id = r.id)
    ELSE EXISTS (SELECT 1 FROM quota_usageevent v WHERE v.reservation_id = r.id AND v.draw_id = '') END
ORDER BY r.id
"""

# What live holds promise out of a Team's lots is there. A lot that was frozen or has expired since still
# keeps its promise; what an operator took back since does not count against it.
HOLDS = """
WITH held AS (
    SELECT team_id, CASE WHEN api_key_id IS NULL THEN 'credits' ELSE 'balance' END AS account,
        sum(left_credits_nanousd + left_balance_nanousd) AS nanousd, min(created_at) AS since
    FROM quota_reservation
    WHERE state = 'held' AND holds_until > %(at)s AND (from_credits_nanousd > 0 OR from_balance_nanousd > 0)
    GROUP BY 1, 2
), backed AS (
    SELECT h.team_id, h.account, h.nanousd,
        (SELECT coalesce(sum(g.remaining_nanousd), 0) FROM quota_creditgrant g
            WHERE g.team_id = h.team_id AND g.account = h.account)
        - (SELECT coalesce(sum(l.amount_nanousd), 0) FROM quota_creditledgerentry l
           WHERE l.team_id = h.team_id AND l.account = h.account AND l.kind IN ('refund', 'adjustment')
               AND l.amount_nanousd < 0 AND l.at >= h.since) AS lots
    FROM held h
)
SELECT format('%%s held in Team %%s',
        CASE account WHEN 'credits' THEN 'Credits' ELSE 'API balance' END, team_id),
    format('at most %%s', lots), nanousd
FROM backed WHERE nanousd > lots ORDER BY team_id, account
"""

KEYS = """
SELECT format('current key of membership %%s', m.id), 'one', 'none'
FROM teams_membership m JOIN teams_team t ON t.id = m.team_id
WHERE m.ended_at IS NULL AND t.deleted_at IS NULL
    AND NOT EXISTS (
        SELECT 1 FROM teams_subscriptionkey k WHERE k.membership_id = m.id AND k.replaced_at IS NULL
    )
ORDER BY m.id
"""

# No foreign key says that what a call names exists and is of one Team: this does.
LINKS = """
WITH call AS (
    SELECT 'reservation' AS kind, id, team_id, membership_id, key_id, api_key_id, api_text_id, seat_id,
        plan_id, gateway_id, rate_card_id, NULL::uuid AS reservation_id
    FROM quota_reservation
    UNION ALL
    SELECT 'usage event', id, team_id, membership_id, key_id, api_key_id, api_text_id, seat_id, plan_id,
        gateway_id, NULL, reservation_id
    FROM quota_usageevent
)
SELECT format('what %%s %%s is of', c.kind, c.id), 'rows of its Team', 'none, or rows of another'
FROM call c
    LEFT JOIN teams_membership m ON m.id = c.membership_id AND m.team_id = c.team_id
    LEFT JOIN teams_subscriptionkey k ON k.id = c.key_id AND k.membership_id = c.membership_id
    LEFT JOIN teams_apikey a ON a.id = c.api_key_id AND a.team_id = c.team_id
    LEFT JOIN teams_apikeytext x ON x.id = c.api_text_id AND x.api_key_id = c.api_key_id
    LEFT JOIN teams_seat s ON s.id = c.seat_id AND s.team_id = c.team_id
    LEFT JOIN quota_plan p ON p.id = c.plan_id
    LEFT JOIN quota_gateway g ON g.id = c.gateway_id
    LEFT JOIN quota_ratecard r ON r.id = c.rate_card_id
    LEFT JOIN quota_reservation h ON h.id = c.reservation_id AND h.membership_id = c.membership_id
WHERE m.id IS NULL OR g.id IS NULL
    OR (c.key_id IS NOT NULL AND k.id IS NULL) OR (c.api_key_id IS NOT NULL AND a.id IS NULL)
    OR (c.api_text_id IS NOT NULL AND x.id IS NULL) OR (c.seat_id IS NOT NULL AND s.id IS NULL)
    OR (c.plan_id IS NOT NULL AND p.id IS NULL) OR (c.rate_card_id IS NOT NULL AND r.id IS NULL)
    OR (c.reservation_id IS NOT NULL AND h.id IS NULL)
ORDER BY c.kind, c.id
"""

CHECKS = (BUCKETS, LOTS, LEDGER, OWED, MONTHS, API_KEY_MONTHS, RESERVATIONS, HOLDS, LINKS, KEYS)
