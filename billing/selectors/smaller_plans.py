"""Seats for which the next lower plan would do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from billing.selectors.seat_offers import plans_can_change
from quota.hot_path.sql import fetch_all
from quota.outlook import NEARLY_FULL
from teams.models import Membership, Team

# How far back windows are compared, and how long the holder has had the seat.
COMPARED = timedelta(days=21)
LEAST_WEEKS = 2
# So many seats are named; the others are counted.
NAMED = 5
# Of so many, the least used ones by the week, short windows are read.
MOST_SEATS = 500


@dataclass(frozen=True, slots=True)
class OversizedSeat:
    """`used_percent`: of no limit of the present plan was more used, in whole percent, rounded up.
    `lower_code` is the plan on sale that would do.
    """

    seat_id: int
    seat_number: int
    holder: Membership
    plan_name: str
    used_percent: int
    lower_code: str
    lower_name: str


@dataclass(frozen=True, slots=True)
class SmallerPlans:
    """`seats` are the least used ones, as many as are to be named of `count`."""

    seats: list[OversizedSeat]
    count: int


def smaller_plans(team: Team, at: datetime, *, named: int | None = NAMED) -> SmallerPlans:
    """The held seats whose windows of the last three weeks, and those of now, would all have stayed below
    80 % of the next lower plan on sale, from where on a bar says that it is nearly full. Of these a seat that

    1. the subscription pays for, with nothing planned for it at the period's end;
    2. its holder has had for the three weeks;
    3. has two windows of a week or longer that lie whole in them and had the limit of its present plan;
    4. has, by its present plan, a window of the same rule for each limit of the lower one.

    Of a rolling window, two neighbouring intervals of its history are taken together: no window across them
    can have held more. Nothing while a payment is overdue or the subscription is to end: no plan can be
    changed then. One statement finds them, among the 500 seats that are used the least by their weeks: so it
    costs a Team of 5,000 no more. All of them are named where `named` is None.
    """
    if not plans_can_change(team):
        return SmallerPlans([], 0)
    values = {"team": team.pk, "at": at, "since": at - COMPARED, "percent": NEARLY_FULL}
    rows = fetch_all(_OVERSIZED, values | {"weeks": LEAST_WEEKS, "most": MOST_SEATS, "named": named})
    holders = Membership.objects.select_related("user").in_bulk([row["membership_id"] for row in rows])
    seats = [_seat(row, holders[row["membership_id"]]) for row in rows]
    return SmallerPlans(seats, rows[0]["found"] if rows else 0)


def _seat(row: dict[str, Any], holder: Membership) -> OversizedSeat:
    return OversizedSeat(
        seat_id=row["seat_id"],
        seat_number=row["number"],
        holder=holder,
        plan_name=row["plan_name"],
        used_percent=row["used_percent"],
        lower_code=row["lower_code"],
        lower_name=row["lower_name"],
    )


# What was used at most of a limit, and how many windows of the present plan have ended.
_USED = """
    SELECT c.*, ended.windows, greatest(
            coalesce(ended.nanousd, 0), coalesce(quota_used_in_buckets(
                %(team)s, c.seat_id, c.rule_key,
                %(at)s - make_interval(secs => c.length_seconds), 'infinity'
            ), 0)
        ) AS nanousd
    FROM compared c CROSS JOIN LATERAL (
        SELECT max(w.nanousd) AS nanousd, count(*) FILTER (WHERE w.limit_nanousd = c.limit_nanousd) AS windows
        FROM (
            SELECT k.limit_nanousd, k.used_nanousd + CASE
                WHEN c.policy = 'rolling' AND lead(k.starts_at) OVER later = k.ends_at
                THEN lead(k.used_nanousd) OVER later ELSE 0 END AS nanousd
            FROM quota_closedwindow k
            WHERE k.seat_id = c.seat_id AND k.rule = c.rule_key
                AND k.starts_at >= %(since)s AND k.ends_at <= %(at)s
            WINDOW later AS (ORDER BY k.starts_at)
        ) w
    ) ended
"""
_FITS = "bool_and(u.nanousd * 100 < u.lower_nanousd::numeric * %(percent)s)"
_SHARE = "max(u.nanousd * 100.0 / nullif(u.limit_nanousd, 0))"
# As an array, so that it is known before short windows are read.
_CALM = "ANY(ARRAY(SELECT calm.seat_id FROM calm))"
_OVERSIZED = f"""
WITH step AS (
    SELECT p.id AS plan_id, p.name AS plan_name, l.id AS lower_id, l.code AS lower_code, l.name AS lower_name
    FROM quota_plan p CROSS JOIN LATERAL (
        SELECT q.id, q.code, q.name FROM quota_plan q WHERE q.sellable AND q.rank < p.rank
        ORDER BY q.rank DESC, q.id LIMIT 1
    ) l
    WHERE NOT EXISTS (
        SELECT 1 FROM quota_planlimit ll WHERE ll.plan_id = l.id AND NOT EXISTS (
            SELECT 1 FROM quota_planlimit pl WHERE pl.plan_id = p.id AND pl.rule_key = ll.rule_key
        )
    )
), seat AS (
    SELECT s.id, s.number, h.membership_id, step.*
    FROM billing_purchasedseat b JOIN step ON step.plan_id = b.plan_id
        JOIN teams_seat s ON s.id = b.seat_id
        JOIN teams_seatholding h ON h.seat_id = b.seat_id AND h.ended_at IS NULL AND h.started_at <= %(since)s
    WHERE b.team_id = %(team)s AND b.ended_at IS NULL AND NOT b.leaves AND b.next_plan_id IS NULL
), compared AS (
    SELECT s.id AS seat_id, ll.rule_key, ll.policy, ll.length_seconds, ll.limit_nanousd AS lower_nanousd,
        pl.limit_nanousd
    FROM seat s JOIN quota_planlimit ll ON ll.plan_id = s.lower_id
        JOIN quota_planlimit pl ON pl.plan_id = s.plan_id AND pl.rule_key = ll.rule_key
), weekly AS (
    {_USED} WHERE c.length_seconds >= 604800
), calm AS MATERIALIZED (
    SELECT u.seat_id FROM weekly u GROUP BY u.seat_id HAVING {_FITS} AND max(u.windows) >= %(weeks)s
    ORDER BY {_SHARE}, u.seat_id LIMIT %(most)s
), used AS (
    SELECT w.* FROM weekly w WHERE w.seat_id = {_CALM}
    UNION ALL {_USED} WHERE c.length_seconds < 604800 AND c.seat_id = {_CALM}
), fits AS (
    SELECT u.seat_id, ceil({_SHARE})::int AS used_percent FROM used u GROUP BY u.seat_id HAVING {_FITS}
)
SELECT f.seat_id, s.number, s.membership_id, s.plan_name, f.used_percent, s.lower_code, s.lower_name,
    count(*) OVER () AS found
FROM fits f JOIN seat s ON s.id = f.seat_id
ORDER BY f.used_percent, s.number LIMIT %(named)s
"""  # noqa: S608  (its parts are constants of ours)
