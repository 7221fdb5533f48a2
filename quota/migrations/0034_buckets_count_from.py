"""Buckets of a window rule count from where the first window may reach back that its seat can use: what was used before is in
none. So a plan with other windows sums up a window's length of usage under the seat's lock, and not all there ever was.
"""

import importlib

from django.db import migrations

COUNTS_FROM = """
-- Where the first bucket of the rule begins that a window around p_begins_at or later may count (`Rule.counts_from`).
CREATE FUNCTION quota_counts_from(p_rule_key text, p_begins_at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE split_part(p_rule_key, '/', 1)
        WHEN 'fixed' THEN date_bin(rule.length, p_begins_at, 'epoch'::timestamptz + rule.anchored)
        WHEN 'rolling' THEN date_bin(rule.length / 60, p_begins_at, 'epoch') + rule.length / 60 - rule.length
        ELSE p_begins_at - rule.length END
    FROM (SELECT
        make_interval(secs => split_part(split_part(p_rule_key, '/', 2), '@', 1)::integer) AS length,
        make_interval(secs => coalesce(nullif(split_part(p_rule_key, '@', 2), ''), '0')::integer) AS anchored
    ) rule
$$;
ALTER TYPE quota_seat_usage_row ADD ATTRIBUTE counts_from timestamptz[];
"""

# Of seats that got a rule before: whatever lies further back counts in no window that they had.
OLDER_BUCKETS = """
DELETE FROM quota_usagebucket b USING (
    SELECT e.seat_id, l.rule_key, quota_counts_from(l.rule_key, min(e.starts_at)) AS counts_from
    FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id GROUP BY 1, 2
) r
WHERE b.seat_id = r.seat_id AND b.rule = r.rule_key AND b.starts_at < r.counts_from;
"""

# The function as it was made last, and what is other in it.
CHANGED = {
    "        held.leases, held.agents_until)": "        held.leases, held.agents_until, ruled.counts_from)",
    "        SELECT array_agg(DISTINCT l.rule_key::text) AS rules\n"
    "        FROM (SELECT e.plan_id FROM": "        SELECT array_agg(rule.key) AS rules,\n"
    "            array_agg(quota_counts_from(rule.key, rule.begins_at)) AS counts_from\n"
    "        FROM (SELECT l.rule_key::text AS key, min(plan.starts_at) AS begins_at\n"
    "        FROM (SELECT e.plan_id, e.starts_at FROM",
    "WHERE l.plan_id = plan.plan_id OFFSET 0) l\n": "WHERE l.plan_id = plan.plan_id OFFSET 0) l\n"
    "        GROUP BY l.rule_key) rule\n",
}


def seat_usages(changed):
    made = importlib.import_module("quota.migrations.0020_usage_around_a_moment").SEAT_USAGES
    for was, becomes in changed.items():
        assert was in made
        made = made.replace(was, becomes, 1)
    return made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


# Buckets that were deleted stay so: they counted in no window.
BACK = (
    "ALTER TYPE quota_seat_usage_row DROP ATTRIBUTE counts_from;"
    + seat_usages({})
    + "DROP FUNCTION quota_counts_from(text, timestamptz);"
)


class Migration(migrations.Migration):
    dependencies = [("quota", "0031_fewer_bytes_a_call")]

    operations = [migrations.RunSQL(COUNTS_FROM + OLDER_BUCKETS + seat_usages(CHANGED), BACK)]
