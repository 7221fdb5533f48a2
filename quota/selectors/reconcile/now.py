"""What must be so at a moment: live holds have their lots, members have their keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from quota.selectors.reconcile import names
from quota.selectors.reconcile.difference import Difference, found_by, rows_of


def differences_now(at: datetime) -> Iterator[Difference]:
    """What does not agree at `at`, the moment that live holds are judged at."""
    yield from found_by(HOLDS, at=at)


def differences_of_members(after: int, upto: int) -> Iterator[Difference]:
    """Of the memberships with ids above `after`, up to `upto`: whether each has its key."""
    yield from found_by(KEYS, after=after, upto=upto)


def newest_member() -> int:
    """The highest id of a membership; 0 where there is none."""
    ((newest,),) = rows_of("SELECT coalesce(max(id), 0) FROM teams_membership")
    return int(newest)


# What live holds promise out of a Team's lots is there. A lot that was frozen or has expired since still
# keeps its promise; what an operator took back since does not count against it.
HOLDS = f"""
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
SELECT format('%%s held in %%s',
        CASE account WHEN 'credits' THEN 'Credits' ELSE 'API balance' END, {names.team("team_id")}),
    format('at most %%s', lots), nanousd
FROM backed WHERE nanousd > lots ORDER BY team_id, account
"""  # noqa: S608  (its parts are constants of ours)

# Keys and Teams are asked for one member at a time: whatever a plan thinks, no others are read.
KEYS = f"""
WITH member AS MATERIALIZED (
    SELECT m.id, m.team_id, m.ended_at FROM teams_membership m WHERE m.id > %(after)s AND m.id <= %(upto)s
)
SELECT format('current key of %%s', {names.member("m.id")}), 'one', 'none'
FROM member m
WHERE m.ended_at IS NULL
    AND (SELECT t.deleted_at IS NULL FROM teams_team t WHERE t.id = m.team_id)
    AND (
        SELECT k.id FROM teams_subscriptionkey k WHERE k.membership_id = m.id AND k.replaced_at IS NULL
    ) IS NULL
ORDER BY m.id
"""  # noqa: S608
