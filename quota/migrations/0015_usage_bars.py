"""All that usage bars show, of many members in one statement (`quota.selectors.usage_bar`)."""

from django.db import migrations

BARS = """
-- One row for each membership: the seat it holds, what that is entitled to, the member's Credits, and, where the seat
-- works, its usage. Amounts are nano-dollars; `overflow` is of the member and the Team together. It locks nothing.
CREATE FUNCTION quota_usage_bars(p_membership_ids bigint[], p_at timestamptz) RETURNS TABLE (
    membership_id bigint, seat_id bigint, plan_id bigint, ends_at timestamptz, renews_at timestamptz, suspended boolean,
    access boolean, overflow boolean, month_cap bigint, month_used bigint, balance bigint, usable bigint, owed bigint,
    usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH facts AS MATERIALIZED (
        SELECT m.id, m.team_id, m.is_founder, held.seat_id, e.plan_id, e.ends_at, e.renews_at,
            coalesce(e.suspended_at <= p_at, false) AS suspended
        FROM teams_membership m
            LEFT JOIN LATERAL quota_held_seat(m.id, false, p_at) held ON true
            LEFT JOIN LATERAL (
                SELECT e.plan_id, e.ends_at, e.renews_at, e.suspended_at FROM quota_entitlement e
                WHERE e.seat_id = held.seat_id AND e.starts_at <= p_at AND (e.ends_at IS NULL OR e.ends_at > p_at)
                    AND (e.superseded_at IS NULL OR e.superseded_at > p_at)
                ORDER BY e.starts_at DESC LIMIT 1
            ) e ON true
        WHERE m.id = ANY(p_membership_ids)
    ), seats AS (
        SELECT array_agg(f.seat_id) AS ids, array_agg(p_at) AS moments
        FROM facts f WHERE f.plan_id IS NOT NULL AND NOT f.suspended
    )
    SELECT f.id, f.seat_id, f.plan_id, f.ends_at, f.renews_at, f.suspended,
        -- No row of access: who made the Team may, anyone else may not.
        coalesce(a.allowed, f.is_founder),
        coalesce(a.overflow, 'allow') = 'allow' AND coalesce(t.overflow, 'allow') = 'allow',
        a.month_cap_nanousd,
        -- The month and what is owed are the person's: who leaves and comes back has another membership and the same.
        (SELECT coalesce(sum(c.used_nanousd), 0)::bigint FROM quota_creditmonth c
            WHERE c.membership_id = ANY(person.ids) AND c.month = date_trunc('month', p_at AT TIME ZONE 'UTC')::date),
        pool.balance,
        -- Of an empty pool nobody may use anything.
        CASE WHEN pool.balance > 0 THEN quota_usable_credits(
            f.team_id, f.id, f.plan_id IS NOT NULL AND NOT f.suspended, p_at, p_at, p_at, NULL, false) ELSE 0 END,
        (SELECT coalesce(sum(o.left_nanousd), 0)::bigint FROM quota_owedusage o
            WHERE o.membership_id = ANY(person.ids) AND o.account = 'credits' AND o.left_nanousd > 0),
        u.usage
    FROM facts f
        CROSS JOIN LATERAL (
            SELECT array_agg(own.id) AS ids FROM quota_memberships_of_one_person(f.id) AS own (id)
        ) person
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(g.remaining_nanousd), 0)::bigint AS balance FROM quota_creditgrant g
            WHERE g.team_id = f.team_id AND g.account = 'credits' AND g.remaining_nanousd > 0
                AND g.frozen_at IS NULL AND g.expires_at > p_at
        ) pool
        LEFT JOIN quota_creditaccess a ON a.membership_id = f.id
        LEFT JOIN quota_teamcredits t ON t.team_id = f.team_id
        LEFT JOIN (seats CROSS JOIN LATERAL quota_seat_usages(seats.ids, seats.moments, seats.moments, p_at) u) ON u.seat_id = f.seat_id;
END $$;
"""

DROP = "DROP FUNCTION quota_usage_bars(bigint[], timestamptz);"


class Migration(migrations.Migration):
    dependencies = [("quota", "0014_gathering")]

    operations = [migrations.RunSQL(BARS, DROP)]
