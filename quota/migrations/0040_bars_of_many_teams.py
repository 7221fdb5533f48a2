"""A bar costs the same however many Teams its person has, and however many bars are asked for at once."""

import importlib

from django.db import migrations

OF_ONE_PERSON = """
-- The memberships that the person of this one has, or had, in its Team.
CREATE OR REPLACE FUNCTION quota_memberships_of_one_person(p_membership_id bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT every.id FROM teams_membership one CROSS JOIN LATERAL (
        -- In these words one index alone is of use, by person and Team (`membership_of_person_in_team`): others lead to all
        -- members of the Team.
        SELECT m.id FROM teams_membership m
        WHERE m.user_id = one.user_id AND m.team_id + 0 = one.team_id OFFSET 0
    ) every
    WHERE one.id = p_membership_id
$$;
"""

BARS = """
-- One row for each membership: the seat it holds, what that is entitled to, the member's Credits, and, where the seat
-- works, its usage. Amounts are nano-dollars; `overflow` is of the member and the Team together. It locks nothing.
-- A hash join is for seats and their usage alone, since of thousands each would be compared with each. So each other row is
-- looked up apart (OFFSET 0, LIMIT).
CREATE OR REPLACE FUNCTION quota_usage_bars(p_membership_ids bigint[], p_at timestamptz) RETURNS TABLE (
    membership_id bigint, seat_id bigint, plan_id bigint, ends_at timestamptz, renews_at timestamptz, suspended boolean,
    access boolean, overflow boolean, month_cap bigint, month_used bigint, balance bigint, usable bigint, owed bigint,
    usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan'
SET enable_seqscan = off SET enable_mergejoin = off AS $$
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
        coalesce(a.overflow, 'allow') = 'allow' AND c.overflow = 'allow',
        a.month_cap_nanousd,
        c.month_used, c.balance,
        -- Of an empty pool nobody may use anything.
        CASE WHEN c.balance > 0 THEN quota_usable_credits(
            f.team_id, f.id, f.plan_id IS NOT NULL AND NOT f.suspended, p_at, p_at, p_at, NULL, false) ELSE 0 END,
        c.owed, u.usage
    FROM facts f
        CROSS JOIN LATERAL quota_credits_of(f.team_id, f.id, p_at) c
        LEFT JOIN LATERAL (SELECT * FROM quota_creditaccess a WHERE a.membership_id = f.id OFFSET 0) a ON true
        LEFT JOIN (seats CROSS JOIN LATERAL quota_seat_usages(seats.ids, seats.moments, seats.moments, p_at) u) ON u.seat_id = f.seat_id;
END $$;
"""

# Without this it is planned anew at each call, since a span between two moments that are known looks cheaper: so of five
# thousand seats four fifths of the time was planning. Rows are found by the primary key either way.
PLANNED_ONCE = "ALTER FUNCTION quota_used_in_buckets SET plan_cache_mode = 'force_generic_plan';"

# As they were made before.
ONE_PERSON_BEFORE = importlib.import_module("quota.migrations.0003_states_of_calls").USABLE_CREDITS
ONE_PERSON_BEFORE = ONE_PERSON_BEFORE[ONE_PERSON_BEFORE.index("CREATE FUNCTION quota_memberships_of_one_person(") :]
BACK = (
    ONE_PERSON_BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    + importlib.import_module("quota.migrations.0033_one_team_at_a_time").BARS
    + "ALTER FUNCTION quota_used_in_buckets RESET plan_cache_mode;"
)


class Migration(migrations.Migration):
    dependencies = [("quota", "0039_members_checked_in_turn"), ("teams", "0009_a_person_in_a_team")]

    operations = [migrations.RunSQL(OF_ONE_PERSON + BARS + PLANNED_ONCE, BACK)]
