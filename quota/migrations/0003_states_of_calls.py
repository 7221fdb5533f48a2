"""The database functions of the hot path: they lock, and then read what a decision needs.

Each statement inside a function of PL/pgSQL sees what was committed before that statement began, so what is read after
a lock is never older than the lock. A plain SELECT that locked and summed at once would sum what it saw before it waited.
"""

from django.db import migrations

LIMITS = """
-- What `tokenplan.kit.transactions` sets for services, set here without a round trip: until this transaction ends.
CREATE FUNCTION quota_limit_transaction() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('statement_timeout', '30s', true),
        set_config('idle_in_transaction_session_timeout', '60s', true);
END $$;
"""

SEAT_USAGES = """
-- Of each seat: the window rules of all plans it was ever entitled to, the buckets that a window around its moment or
-- later may count, and the live holds. Read by `quota.hot_path.state`.
CREATE TYPE quota_seat_usage_row AS (
    rules text[], bucket_rules text[], bucket_starts timestamptz[], bucket_used bigint[],
    hold_ids uuid[], hold_starts timestamptz[], hold_nanousd bigint[], hold_agents text[], hold_ends timestamptz[],
    hold_leases boolean[], hold_agents_until timestamptz[]
);

CREATE FUNCTION quota_seat_usages(p_seat_ids bigint[], p_moments timestamptz[], p_at timestamptz)
RETURNS TABLE (seat_id bigint, usage quota_seat_usage_row)
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT asked.seat_id, row(
        ruled.rules, used.rules, used.starts, used.nanousd, held.ids, held.starts, held.nanousd, held.agents, held.ends,
        held.leases, held.agents_until)::quota_seat_usage_row
    FROM unnest(p_seat_ids, p_moments) AS asked (seat_id, moment)
    CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT l.rule_key::text) AS rules
        FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id WHERE e.seat_id = asked.seat_id
    ) ruled
    CROSS JOIN LATERAL (
        SELECT array_agg(b.rule::text) AS rules, array_agg(b.starts_at) AS starts, array_agg(b.used_nanousd) AS nanousd
        FROM unnest(ruled.rules) AS rule_key CROSS JOIN LATERAL (
            SELECT u.rule, u.starts_at, u.used_nanousd FROM quota_usagebucket u
            WHERE u.seat_id = asked.seat_id AND u.rule = rule_key AND u.starts_at > asked.moment
                - make_interval(secs => split_part(split_part(rule_key, '/', 2), '@', 1)::integer)
                    -- The first_use window before it, too, and the one before that: which one is a live hold in?
                    * CASE WHEN rule_key LIKE 'first_use/%' THEN 3 ELSE 1 END
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
    ) held;
END $$;
"""

HELD_SEAT = """
-- The seat that a member holds: before a call (p_before) the one of now, after it the one of then.
CREATE FUNCTION quota_held_seat(p_membership_id bigint, p_before boolean, p_occurred_at timestamptz)
RETURNS TABLE (seat_id bigint) LANGUAGE sql STABLE AS $$
    SELECT h.seat_id FROM teams_seatholding h
    WHERE h.membership_id = p_membership_id AND (
        CASE WHEN p_before THEN h.ended_at IS NULL
        ELSE h.started_at <= p_occurred_at AND (h.ended_at IS NULL OR h.ended_at > p_occurred_at) END)
    ORDER BY h.started_at DESC LIMIT 1
$$;
"""

RESERVATION_STATE = """
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
        usage := (SELECT u.usage FROM quota_seat_usages(ARRAY[seat_id], ARRAY[created_at], p_at) u);
    END IF;
    RETURN NEXT;
END $$;
"""

LOCK_CREDITS = """
-- The Team's row of Credits, the last in the order of locks, is locked, and made first where there is none: else a first
-- lot that is granted now could neither be seen by who asks nor see what will be owed.
CREATE FUNCTION quota_lock_credits(p_team_id bigint) RETURNS void LANGUAGE plpgsql VOLATILE
SET lock_timeout = '3s' AS $$
BEGIN
    PERFORM 1 FROM quota_teamcredits t WHERE t.team_id = p_team_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO quota_teamcredits (team_id) VALUES (p_team_id) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM quota_teamcredits t WHERE t.team_id = p_team_id FOR NO KEY UPDATE;
    END IF;
END $$;
"""

USABLE_CREDITS = """
-- How much of the Team's Credits, in nano-dollars, a member may use for a call that occurred at p_occurred_at.
-- The member's access, both overflow policies (where the call is the overflow of a working seat) and the member's month
-- cap (calendar month, UTC), all as they were then; the lots that live at p_lots_at, and what live reservations other
-- than p_except_id hold.
-- With p_lock it locks the Team's row of Credits first, as all that changes a lot does; no lot exists without that row.
CREATE FUNCTION quota_usable_credits(
    p_team_id bigint, p_membership_id bigint, p_seated boolean, p_occurred_at timestamptz, p_lots_at timestamptz,
    p_at timestamptz, p_except_id uuid, p_lock boolean
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_founder boolean; v_member boolean; v_may boolean; v_overflow boolean; v_cap bigint;
    v_free bigint; v_used bigint; v_member_held bigint;
    -- A call that is decided now is judged by the rows as they stand, whatever another server's clock wrote into them.
    v_late boolean := p_occurred_at < p_at;
    v_month date := date_trunc('month', p_occurred_at AT TIME ZONE 'UTC')::date;
BEGIN
    IF p_lock THEN
        PERFORM quota_lock_credits(p_team_id);
    END IF;
    SELECT m.is_founder, m.ended_at IS NULL OR v_late AND m.ended_at > p_occurred_at INTO v_founder, v_member
        FROM teams_membership m WHERE m.id = p_membership_id;
    -- No row of access: who made the Team may, anyone else may not.
    SELECT rule.allowed, rule.overflow = 'allow', rule.month_cap_nanousd INTO v_may, v_overflow, v_cap FROM (
        SELECT p.until, p.allowed, p.overflow, p.month_cap_nanousd FROM quota_pastcreditaccess p
            WHERE v_late AND p.membership_id = p_membership_id AND p.until > p_occurred_at
        UNION ALL
        SELECT 'infinity', a.allowed, a.overflow, a.month_cap_nanousd FROM quota_creditaccess a
            WHERE a.membership_id = p_membership_id
        UNION ALL
        SELECT NULL, v_founder, 'allow', NULL
    ) rule ORDER BY rule.until NULLS LAST LIMIT 1;
    v_may := v_may AND v_member;  -- Access ends with the membership.
    IF p_seated THEN
        SELECT v_may AND v_overflow AND rule.overflow = 'allow' INTO v_may FROM (
            SELECT p.until, p.overflow FROM quota_pastteamoverflow p
                WHERE v_late AND p.team_id = p_team_id AND p.until > p_occurred_at
            UNION ALL
            SELECT 'infinity', t.overflow FROM quota_teamcredits t WHERE t.team_id = p_team_id
            UNION ALL
            SELECT NULL, 'allow'
        ) rule ORDER BY rule.until NULLS LAST LIMIT 1;
    END IF;
    IF NOT coalesce(v_may, false) THEN
        RETURN 0;
    END IF;
    -- A hold draws on the lots that lived when it was made, the soonest-expiring first: also on one that has expired
    -- since. So for each such expiry, and for none, what expires later must cover the holds that were made later.
    WITH moments AS (
        SELECT '-infinity'::timestamptz AS moment
        UNION ALL
        SELECT g.expires_at FROM quota_creditgrant g WHERE g.team_id = p_team_id AND g.account = 'credits'
            AND g.remaining_nanousd > 0 AND g.expires_at <= p_lots_at AND g.frozen_at IS NULL
    )
    SELECT min(
            (SELECT coalesce(sum(g.remaining_nanousd), 0) FROM quota_creditgrant g
                WHERE g.team_id = p_team_id AND g.account = 'credits' AND g.remaining_nanousd > 0
                AND g.frozen_at IS NULL AND g.expires_at > moment)
            - (SELECT coalesce(sum(r.left_credits_nanousd), 0) FROM quota_reservation r
                WHERE r.team_id = p_team_id AND r.state = 'held' AND r.from_credits_nanousd > 0
                AND r.holds_until > p_at AND r.created_at >= moment AND r.id IS DISTINCT FROM p_except_id)
        ) INTO v_free FROM moments;
    IF v_cap IS NULL THEN
        RETURN greatest(0, v_free);
    END IF;
    -- The cap is the person's: who leaves and comes back has another membership and the same month.
    -- A call counts in the month of its authorize, a lease in every month in which it may be drawn from.
    SELECT coalesce(sum(r.left_credits_nanousd), 0) INTO v_member_held
        FROM quota_reservation r
        WHERE r.team_id = p_team_id AND r.state = 'held' AND r.from_credits_nanousd > 0 AND r.holds_until > p_at
        AND r.id IS DISTINCT FROM p_except_id
        AND v_month BETWEEN date_trunc('month', r.created_at AT TIME ZONE 'UTC')::date
            AND date_trunc('month', (CASE WHEN r.model = '' THEN r.expires_at ELSE r.created_at END)
                AT TIME ZONE 'UTC')::date
        AND r.membership_id IN (SELECT quota_memberships_of_one_person(p_membership_id));
    SELECT coalesce(sum(m.used_nanousd), 0) INTO v_used FROM quota_creditmonth m
        WHERE m.month = v_month AND m.membership_id IN (SELECT quota_memberships_of_one_person(p_membership_id));
    RETURN greatest(0, least(v_free, v_cap - v_used - v_member_held));
END $$;

-- All memberships, ended or not, that the person of this one ever had in its Team.
CREATE FUNCTION quota_memberships_of_one_person(p_membership_id bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT every.id FROM teams_membership one JOIN teams_membership every USING (team_id, user_id)
    WHERE one.id = p_membership_id
$$;
"""

DROP = """
DROP FUNCTION quota_memberships_of_one_person(bigint);
DROP FUNCTION quota_usable_credits(bigint, bigint, boolean, timestamptz, timestamptz, timestamptz, uuid, boolean);
DROP FUNCTION quota_lock_credits(bigint);
DROP FUNCTION quota_reservation_state(uuid, timestamptz);
DROP FUNCTION quota_held_seat(bigint, boolean, timestamptz);
DROP FUNCTION quota_seat_usages(bigint[], timestamptz[], timestamptz);
DROP TYPE quota_seat_usage_row;
DROP FUNCTION quota_limit_transaction();
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0002_rules")]

    operations = [
        migrations.RunSQL(
            LIMITS + SEAT_USAGES + HELD_SEAT + RESERVATION_STATE + LOCK_CREDITS + USABLE_CREDITS, DROP
        )
    ]
