"""Usage is read around a moment, from one to another: what is reported long after a call reads as little as what is reported at
once, however much was used since.
"""

from django.db import migrations

# Of older data: what these functions were before.
BEFORE = """
DROP FUNCTION IF EXISTS quota_reservation_state(uuid, timestamptz);
DROP FUNCTION IF EXISTS quota_seat_usages(bigint[], timestamptz[], timestamptz);
"""

SEAT_USAGES = """
-- Of each seat: the window rules of all plans it was ever entitled to, the buckets that a window around any moment from
-- p_since to p_until may count, and the live holds. Read by `quota.hot_path.state`.
CREATE FUNCTION quota_seat_usages(
    p_seat_ids bigint[], p_since timestamptz[], p_until timestamptz[], p_at timestamptz
) RETURNS TABLE (seat_id bigint, usage quota_seat_usage_row)
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    -- No open hold is older than 91 days, and a day is for clocks: so no older partition is searched.
    v_oldest uuid := quota_first_id(least(p_at, clock_timestamp()) - interval '92 days');
    v_newest uuid := quota_first_id(greatest(p_at, clock_timestamp()) + interval '1 day');
BEGIN
    RETURN QUERY SELECT asked.seat_id, row(
        ruled.rules, used.rules, used.starts, used.nanousd, held.ids, held.starts, held.nanousd, held.agents, held.ends,
        held.leases, held.agents_until)::quota_seat_usage_row
    FROM unnest(p_seat_ids, p_since, p_until) AS asked (seat_id, since, until)
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT l.rule_key::text) AS rules
        FROM (SELECT e.plan_id FROM quota_entitlement e WHERE e.seat_id = asked.seat_id OFFSET 0) plan
            CROSS JOIN LATERAL (SELECT l.rule_key FROM quota_planlimit l WHERE l.plan_id = plan.plan_id OFFSET 0) l
    ) ruled
    CROSS JOIN LATERAL (
        SELECT array_agg(b.rule::text) AS rules, array_agg(b.starts_at) AS starts, array_agg(b.used_nanousd) AS nanousd
        FROM unnest(ruled.rules) AS rule_key CROSS JOIN LATERAL (
            SELECT make_interval(secs => split_part(split_part(rule_key, '/', 2), '@', 1)::integer) AS length
        ) rule CROSS JOIN LATERAL (
            SELECT u.rule, u.starts_at, u.used_nanousd FROM quota_usagebucket u
            WHERE u.seat_id = asked.seat_id AND u.rule = rule_key
                -- The first_use window before it, too, and the one before that: which one is a live hold in?
                AND u.starts_at > asked.since - rule.length * CASE WHEN rule_key LIKE 'first_use/%' THEN 3 ELSE 1 END
                AND u.starts_at <= asked.until + rule.length
            -- Kept apart from the join, so that it is one range of the primary key a rule. Joined, the planner may
            -- read every bucket the seat ever had and then drop all but sixty (benchmarks/targets/flat.py).
            OFFSET 0
        ) b
    ) used
    -- A lease that is charged at its end counts from then on as it will be charged, whether or not it was yet.
    CROSS JOIN LATERAL (
        SELECT array_agg(r.id) AS ids,
            array_agg(CASE WHEN r.model = '' AND r.charges_at <= p_at THEN r.expires_at ELSE r.created_at END) AS starts,
            array_agg(r.left_quota_nanousd) AS nanousd, array_agg(r.agent::text) AS agents,
            array_agg(r.holds_until) AS ends,
            array_agg(r.model = '' AND coalesce(r.charges_at > p_at, true)) AS leases,
            array_agg(coalesce(r.charges_at, r.holds_until)) AS agents_until
        FROM quota_reservation r
        WHERE r.seat_id = asked.seat_id AND r.state = 'held' AND r.holds_until > p_at
            AND r.id >= v_oldest AND r.id < v_newest
    ) held;
END $$;
"""

RESERVATION_STATE = """
-- The last moment at which a draw from a hold may count: of a call, which counts when it was authorized, that one; of a lease
-- its end. While it is open it is asked about now, too: it may be raised.
CREATE FUNCTION quota_last_moment(p_model text, p_created_at timestamptz, p_expires_at timestamptz, p_at timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_expires_at > p_at THEN 'infinity' WHEN p_model = '' THEN p_expires_at ELSE p_created_at END
$$;

-- Locks a reservation, its key and its seat, in this order, and then reads. No row: no such reservation.
-- key_works, seat_works: whether a lease may still be drawn from (quota_lease_works).
CREATE FUNCTION quota_reservation_state(p_reservation_id uuid, p_at timestamptz) RETURNS TABLE (
    id uuid, gateway_id bigint, state text, expired boolean, created_at timestamptz, expires_at timestamptz,
    holds_until timestamptz, charges_at timestamptz, raised_at timestamptz, team_id bigint, membership_id bigint, key_id bigint,
    seat_id bigint, plan_id bigint, model text, agent text, tags jsonb, left_quota_nanousd bigint, left_credits_nanousd bigint, rate_card_id bigint,
    key_works boolean, seat_works boolean, api_key_id bigint, api_text_id bigint, left_balance_nanousd bigint,
    usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET lock_timeout = '3s' AS $$
#variable_conflict use_variable
-- A bare name is a column of the answer; columns of tables are written with the table's letter.
BEGIN
    PERFORM quota_limit_transaction();
    SELECT r.id, r.gateway_id, r.state, r.expired, r.created_at, r.expires_at, r.holds_until, r.charges_at, r.raised_at,
            r.team_id, r.membership_id, r.key_id, r.seat_id, r.plan_id, r.model, r.agent, r.tags, r.left_quota_nanousd, r.left_credits_nanousd,
            r.rate_card_id, r.api_key_id, r.api_text_id, r.left_balance_nanousd
        INTO id, gateway_id, state, expired, created_at, expires_at, holds_until, charges_at, raised_at,
            team_id, membership_id, key_id, seat_id, plan_id, model, agent, tags, left_quota_nanousd, left_credits_nanousd, rate_card_id,
            api_key_id, api_text_id, left_balance_nanousd
        FROM quota_reservation r WHERE r.id = p_reservation_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM 1 FROM teams_subscriptionkey k WHERE k.id = key_id FOR NO KEY UPDATE;
    PERFORM 1 FROM teams_seat s WHERE s.id = seat_id FOR NO KEY UPDATE;
    SELECT w.key_works, w.seat_works INTO key_works, seat_works
        FROM quota_lease_works(key_id, seat_id, membership_id, p_at) w;
    IF api_text_id IS NOT NULL THEN
        PERFORM 1 FROM teams_apikeytext x WHERE x.id = api_text_id FOR NO KEY UPDATE;
        key_works := quota_api_text_works(api_text_id, p_at);
    END IF;
    IF seat_id IS NOT NULL THEN
        usage := (SELECT u.usage FROM quota_seat_usages(
            ARRAY[seat_id], ARRAY[created_at], ARRAY[quota_last_moment(model, created_at, expires_at, p_at)], p_at) u);
    END IF;
    RETURN NEXT;
END $$;
"""

DROP = """
DROP FUNCTION quota_reservation_state(uuid, timestamptz);
DROP FUNCTION quota_last_moment(text, timestamptz, timestamptz, timestamptz);
DROP FUNCTION quota_seat_usages(bigint[], timestamptz[], timestamptz[], timestamptz);
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0019_many_at_once")]

    operations = [migrations.RunSQL(BEFORE + SEAT_USAGES + RESERVATION_STATE, DROP)]
