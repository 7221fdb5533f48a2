"""What a member's windows were at a moment that has passed, as far as the charges say that were recorded by
then: what was reported, or corrected, later is not in it.

The bar of now reads buckets, which sum a whole window up and do not say what of it came when. What calls
held at a moment is not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Sum

from quota.hot_path.catalog import PlanTerms, plan_terms
from quota.hot_path.sql import fetch_all
from quota.models import ClosingBalance, CreditLedgerEntry, Entitlement
from quota.selectors.kept import ledger_kept_since
from quota.windows import Bucket, Policy, QuotaWindow, window_at
from teams.models import Membership, SeatHolding

# How far back usage may lie that counts in the window of a moment, in lengths. A call that was reported late
# counts in a window of first_use that begins up to a length after it.
FIRST_USE_LENGTHS = 2
OTHER_LENGTHS = 1


@dataclass(frozen=True, slots=True)
class UsageThen:
    """Of one membership, at `at`. `plan` is that of the seat held then, None without one; `windows` have
    nothing held. `team_credits`: nano-dollars in the Team's lots by the ledger; None where entries of then
    are no longer kept.
    """

    membership: Membership
    at: datetime
    seat_id: int | None
    plan: PlanTerms | None
    windows: list[QuotaWindow]
    team_credits: int | None


_USED = """
SELECT asked.seat_id, asked.rule, used.starts_at, used.nanousd
FROM unnest(%(seats)s::bigint[], %(rules)s::text[], %(widths)s::interval[], %(origins)s::timestamptz[],
    %(since)s::timestamptz[]) AS asked (seat_id, rule, width, origin, since)
JOIN teams_seat s ON s.id = asked.seat_id
CROSS JOIN LATERAL quota_used_then(
    s.team_id, s.id, asked.rule, asked.width, asked.origin, asked.since, %(at)s
) used
"""


def usage_then(memberships: Sequence[Membership], at: datetime) -> list[UsageThen]:
    """At a moment that has passed, of these memberships, in their order. The number of queries does not grow
    with them.
    """
    holdings = SeatHolding.objects.filter(membership__in=memberships).at(at)
    seats = {holding.membership_id: holding.seat_id for holding in holdings}
    entitled = Entitlement.objects.filter(seat__in=seats.values()).working(at).order_by("starts_at")
    plans = {row.seat_id: plan_terms(row.plan_id) for row in entitled}
    used = _buckets(plans, at)
    credits = _credits({membership.team_id for membership in memberships}, at)
    return [
        UsageThen(
            membership=membership,
            at=at,
            seat_id=seat,
            plan=plan,
            windows=[window_at(limit, used.get((seat, limit.rule.key), ()), (), at) for limit in plan.limits]
            if seat and plan
            else [],
            team_credits=None if credits is None else credits.get(membership.team_id, 0),
        )
        for membership in memberships
        for seat in [seats.get(membership.pk)]
        for plan in [plans.get(seat) if seat else None]
    ]


def _credits(teams: set[int], at: datetime) -> dict[int, int] | None:
    """Nano-dollars in the lots of each Team at the moment, by the ledger; None where it is not kept."""
    since = ledger_kept_since()
    if since and at < since:
        return None
    found: dict[int, int] = {}
    for rows in (
        CreditLedgerEntry.objects.filter(at__lte=at),
        ClosingBalance.objects.all(),
    ):
        sums = rows.credits().filter(team__in=teams).order_by().values_list("team")
        for team, total in sums.annotate(total=Sum("amount_nanousd")):
            found[team] = found.get(team, 0) + total
    return found


def _buckets(plans: dict[int, PlanTerms], at: datetime) -> dict[tuple[int, str], list[Bucket]]:
    """What was used of each seat, by the key of a window rule."""
    asked = [(seat, limit.rule) for seat, plan in plans.items() for limit in plan.limits]
    params: dict[str, Any] = {
        "at": at,
        "seats": [seat for seat, _ in asked],
        "rules": [rule.key for _, rule in asked],
        "widths": [rule.step if rule.policy is Policy.ROLLING else rule.length for _, rule in asked],
        "origins": [rule.origin for _, rule in asked],
        "since": [
            at - rule.length * (FIRST_USE_LENGTHS if rule.policy is Policy.FIRST_USE else OTHER_LENGTHS)
            for _, rule in asked
        ],
    }
    found: dict[tuple[int, str], list[Bucket]] = {}
    for row in fetch_all(_USED, params) if asked else []:
        bucket = Bucket(row["starts_at"], row["nanousd"])
        found.setdefault((row["seat_id"], row["rule"]), []).append(bucket)
    return found
