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

# The functions as they were made last, and what is other in them.
SEAT_USAGES = importlib.import_module("quota.migrations.0020_usage_around_a_moment").SEAT_USAGES
RULES_AT_ONCE = {
    "        held.leases, held.agents_until)": "        held.leases, held.agents_until, ruled.counts_from)",
    "        SELECT array_agg(DISTINCT l.rule_key::text) AS rules\n"
    "        FROM (SELECT e.plan_id FROM": "        SELECT array_agg(rule.key) AS rules,\n"
    "            array_agg(quota_counts_from(rule.key, rule.begins_at)) AS counts_from\n"
    "        FROM (SELECT l.rule_key::text AS key, min(plan.starts_at) AS begins_at\n"
    "        FROM (SELECT e.plan_id, e.starts_at FROM",
    "WHERE l.plan_id = plan.plan_id OFFSET 0) l\n": "WHERE l.plan_id = plan.plan_id OFFSET 0) l\n"
    "        GROUP BY l.rule_key) rule\n",
}
ONE_BY_ONE = importlib.import_module("quota.migrations.0032_rows_name_their_team").ONE_BY_ONE
RULES_ONE_BY_ONE = {
    "        v_rules := (SELECT array_agg(DISTINCT l.rule_key::text)\n"
    "            FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id WHERE e.seat_id = v_seat_id);\n"
    "        v_usage := NULL;\n"
    "        v_usage.rules := v_rules;\n": "        v_usage := NULL;\n"
    "        SELECT array_agg(rule.key), array_agg(quota_counts_from(rule.key, rule.begins_at))\n"
    "            INTO v_rules, v_usage.counts_from\n"
    "            FROM (SELECT l.rule_key::text AS key, min(e.starts_at) AS begins_at FROM quota_entitlement e\n"
    "                JOIN quota_planlimit l ON l.plan_id = e.plan_id WHERE e.seat_id = v_seat_id GROUP BY 1) rule;\n"
    "        v_usage.rules := v_rules;\n",
}
ASKED = importlib.import_module("quota.migrations.0034_asked_of_one_team").ASKED
USED_THEN = ASKED[ASKED.index("CREATE FUNCTION quota_used_then(") : ASKED.index("-- The event, or else the hold")]
OPENED_THEN = {
    "coalesce((v.first_use_starts->>p_rule)::timestamptz, date_bin(": "coalesce((v.first_use_starts->>p_rule)::timestamptz, opened.at,\n"
    "                date_bin(",
    "        FROM quota_usageevent v\n": "        FROM quota_usageevent v\n"
    "            -- Of before the seat had the rule: the window that was open. None ever moves.\n"
    "            LEFT JOIN LATERAL (\n"
    "                SELECT max(b.starts_at) AS at FROM quota_usagebucket b\n"
    "                WHERE p_rule LIKE 'first_use/%' AND b.team_id = p_team_id AND b.seat_id = p_seat_id AND b.rule = p_rule\n"
    "                    AND b.starts_at <= v.occurred_at AND b.starts_at > v.occurred_at - p_width\n"
    "            ) opened ON true\n",
}


def anew(made, changed):
    for was, becomes in changed.items():
        assert was in made
        made = made.replace(was, becomes, 1)
    return made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


FUNCTIONS = anew(SEAT_USAGES, RULES_AT_ONCE) + anew(ONE_BY_ONE, RULES_ONE_BY_ONE) + anew(USED_THEN, OPENED_THEN)
# Buckets that were deleted stay so: they counted in no window.
BACK = (
    "ALTER TYPE quota_seat_usage_row DROP ATTRIBUTE counts_from;"
    + anew(SEAT_USAGES, {})
    + anew(ONE_BY_ONE, {})
    + anew(USED_THEN, {})
    + "DROP FUNCTION quota_counts_from(text, timestamptz);"
)


class Migration(migrations.Migration):
    dependencies = [("quota", "0034_asked_of_one_team")]

    operations = [migrations.RunSQL(COUNTS_FROM + OLDER_BUCKETS + FUNCTIONS, BACK)]
