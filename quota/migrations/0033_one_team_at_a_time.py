"""What a call depends on is read Team by Team: no statement about rows of calls, or of Credits, is about two Teams, or about
anything else too. So it stays one statement for one server, where Teams are shared out over several.
"""

from django.db import migrations

OF_A_TEAM = """
-- The Team of a hold: most ids name it in their last bits (`quota.ids.new_id_of`).
CREATE FUNCTION quota_team_of_hold(p_id uuid) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF substr(p_id::text, 15, 1) = '8' THEN
        RETURN ('x' || right(p_id::text, 9))::bit(36)::bigint;
    END IF;
    RETURN (SELECT r.team_id FROM quota_reservation r WHERE r.id = p_id);
END $$;

-- Whether a call with Credits left something owed by the person of this membership. Where the Team is owed nothing, nobody
-- looks for the person's other memberships.
CREATE FUNCTION quota_owes(p_team_id bigint, p_membership_id bigint) RETURNS boolean LANGUAGE plpgsql STABLE
SET enable_seqscan = off AS $$
DECLARE
    v_person bigint[];
BEGIN
    PERFORM 1 FROM quota_owedusage o WHERE o.account = 'credits' AND o.left_nanousd > 0 AND o.team_id = p_team_id LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    v_person := ARRAY(SELECT quota_memberships_of_one_person(p_membership_id));
    RETURN EXISTS (SELECT 1 FROM quota_owedusage o WHERE o.account = 'credits' AND o.left_nanousd > 0
        AND o.membership_id = ANY(v_person) AND o.team_id = p_team_id);
END $$;

-- Of a member: the Team's overflow policy, what the person has used of Credits in the month and owes, and what the Team has.
-- The month and what is owed are the person's: who leaves and comes back has another membership and the same.
CREATE FUNCTION quota_credits_of(
    p_team_id bigint, p_membership_id bigint, p_at timestamptz,
    OUT overflow text, OUT month_used bigint, OUT balance bigint, OUT owed bigint
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_person bigint[] := ARRAY(SELECT quota_memberships_of_one_person(p_membership_id));
    v_month date := date_trunc('month', p_at AT TIME ZONE 'UTC')::date;
BEGIN
    overflow := coalesce((SELECT t.overflow FROM quota_teamcredits t WHERE t.team_id = p_team_id), 'allow');
    month_used := (SELECT coalesce(sum(c.used_nanousd), 0) FROM quota_creditmonth c
        WHERE c.membership_id = ANY(v_person) AND c.month = v_month AND c.team_id = p_team_id);
    balance := (SELECT coalesce(sum(g.remaining_nanousd), 0) FROM quota_creditgrant g
        WHERE g.team_id = p_team_id AND g.account = 'credits' AND g.remaining_nanousd > 0
            AND g.frozen_at IS NULL AND g.expires_at > p_at);
    owed := (SELECT coalesce(sum(o.left_nanousd), 0) FROM quota_owedusage o
        WHERE o.membership_id = ANY(v_person) AND o.account = 'credits' AND o.left_nanousd > 0 AND o.team_id = p_team_id);
END $$;
"""

CREDITS = """
-- How much of the Team's Credits, in nano-dollars, a member may use for a call that occurred at p_occurred_at.
-- The member's access, both overflow policies (where the call is the overflow of a working seat) and the member's month
-- cap (calendar month, UTC), all as they were then; the lots that live at p_lots_at, and what live reservations other
-- than p_except_id hold.
-- With p_lock it locks the Team's row of Credits first, as all that changes a lot does; no lot exists without that row.
CREATE OR REPLACE FUNCTION quota_usable_credits(
    p_team_id bigint, p_membership_id bigint, p_seated boolean, p_occurred_at timestamptz, p_lots_at timestamptz,
    p_at timestamptz, p_except_id uuid, p_lock boolean
) RETURNS bigint LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_founder boolean; v_member boolean; v_may boolean; v_overflow boolean; v_cap bigint;
    v_free bigint; v_used bigint; v_member_held bigint; v_team_overflow text; v_person bigint[];
    -- A call that is decided now is judged by the rows as they stand, whatever another server's clock wrote into them.
    v_late boolean := p_occurred_at < p_at;
    v_month date := date_trunc('month', p_occurred_at AT TIME ZONE 'UTC')::date;
    -- No open hold is older than 91 days, and a day is for clocks: so no older partition is searched.
    v_oldest uuid := quota_first_id(least(p_at, clock_timestamp()) - interval '92 days');
    v_newest uuid := quota_first_id(greatest(p_at, clock_timestamp()) + interval '1 day');
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
        SELECT t.overflow INTO v_team_overflow FROM quota_teamcredits t WHERE t.team_id = p_team_id;
        SELECT v_may AND v_overflow AND rule.overflow = 'allow' INTO v_may FROM (
            SELECT p.until, p.overflow FROM quota_pastteamoverflow p
                WHERE v_late AND p.team_id = p_team_id AND p.until > p_occurred_at
            UNION ALL
            SELECT 'infinity', coalesce(v_team_overflow, 'allow')
        ) rule ORDER BY rule.until LIMIT 1;
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
                AND r.id >= v_oldest AND r.id < v_newest
                AND r.holds_until > p_at AND r.created_at >= moment AND r.id IS DISTINCT FROM p_except_id)
        ) INTO v_free FROM moments;
    IF v_cap IS NULL THEN
        RETURN greatest(0, v_free);
    END IF;
    -- The cap is the person's: who leaves and comes back has another membership and the same month.
    v_person := ARRAY(SELECT quota_memberships_of_one_person(p_membership_id));
    -- A call counts in the month of its authorize, a lease in every month in which it may be drawn from.
    SELECT coalesce(sum(r.left_credits_nanousd), 0) INTO v_member_held
        FROM quota_reservation r
        WHERE r.team_id = p_team_id AND r.state = 'held' AND r.from_credits_nanousd > 0 AND r.holds_until > p_at
        AND r.id IS DISTINCT FROM p_except_id AND r.id >= v_oldest AND r.id < v_newest
        AND v_month BETWEEN date_trunc('month', r.created_at AT TIME ZONE 'UTC')::date
            AND date_trunc('month', (CASE WHEN r.model = '' THEN r.expires_at ELSE r.created_at END)
                AT TIME ZONE 'UTC')::date
        AND r.membership_id = ANY(v_person);
    SELECT coalesce(sum(m.used_nanousd), 0) INTO v_used FROM quota_creditmonth m
        WHERE m.month = v_month AND m.membership_id = ANY(v_person) AND m.team_id = p_team_id;
    RETURN greatest(0, least(v_free, v_cap - v_used - v_member_held));
END $$;

-- How much of the Team's API balance, in nano-dollars, an API key may use for a call that occurred at p_occurred_at: the
-- lots that live at p_lots_at, less what live reservations other than p_except_id hold; where p_capped, no more than the
-- key's cap leaves of the calendar month (UTC). What was bought never expires.
-- With p_lock it locks the Team's row of Credits first, as `quota_usable_credits` does.
CREATE OR REPLACE FUNCTION quota_usable_balance(
    p_team_id bigint, p_api_key_id bigint, p_capped boolean, p_occurred_at timestamptz, p_lots_at timestamptz,
    p_at timestamptz, p_except_id uuid, p_lock boolean
) RETURNS bigint LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_cap bigint; v_free bigint; v_used bigint; v_held bigint;
    v_month date := date_trunc('month', p_occurred_at AT TIME ZONE 'UTC')::date;
    -- As for Credits.
    v_oldest uuid := quota_first_id(least(p_at, clock_timestamp()) - interval '92 days');
    v_newest uuid := quota_first_id(greatest(p_at, clock_timestamp()) + interval '1 day');
BEGIN
    IF p_lock THEN
        PERFORM quota_lock_credits(p_team_id);
    END IF;
    -- As for Credits: for each voucher that has expired, and for none, what expires later must cover the holds that
    -- were made later.
    WITH moments AS (
        SELECT '-infinity'::timestamptz AS moment
        UNION ALL
        SELECT g.expires_at FROM quota_creditgrant g WHERE g.team_id = p_team_id AND g.account = 'balance'
            AND g.remaining_nanousd > 0 AND g.expires_at <= p_lots_at AND g.frozen_at IS NULL
    )
    SELECT min(
            (SELECT coalesce(sum(g.remaining_nanousd), 0) FROM quota_creditgrant g
                WHERE g.team_id = p_team_id AND g.account = 'balance' AND g.remaining_nanousd > 0
                AND g.frozen_at IS NULL AND coalesce(g.expires_at, 'infinity') > moment)
            - (SELECT coalesce(sum(r.left_balance_nanousd), 0) FROM quota_reservation r
                WHERE r.team_id = p_team_id AND r.state = 'held' AND r.from_balance_nanousd > 0
                AND r.id >= v_oldest AND r.id < v_newest
                AND r.holds_until > p_at AND r.created_at >= moment AND r.id IS DISTINCT FROM p_except_id)
        ) INTO v_free FROM moments;
    SELECT a.month_cap_nanousd INTO v_cap FROM teams_apikey a WHERE a.id = p_api_key_id;
    IF v_cap IS NULL OR NOT p_capped THEN
        RETURN greatest(0, v_free);
    END IF;
    SELECT coalesce(sum(r.left_balance_nanousd), 0) INTO v_held
        FROM quota_reservation r
        WHERE r.team_id = p_team_id AND r.state = 'held' AND r.from_balance_nanousd > 0 AND r.holds_until > p_at
        AND r.id IS DISTINCT FROM p_except_id AND r.api_key_id = p_api_key_id
        AND r.id >= v_oldest AND r.id < v_newest
        AND v_month BETWEEN date_trunc('month', r.created_at AT TIME ZONE 'UTC')::date
            AND date_trunc('month', (CASE WHEN r.model = '' THEN r.expires_at ELSE r.created_at END)
                AT TIME ZONE 'UTC')::date;
    SELECT coalesce(sum(m.used_nanousd), 0) INTO v_used FROM quota_apikeymonth m
        WHERE m.month = v_month AND m.api_key_id = p_api_key_id AND m.team_id = p_team_id;
    RETURN greatest(0, least(v_free, v_cap - v_used - v_held));
END $$;
"""

STATES = """
-- All that authorize and the recording of an event need to know about each key at its moment. No row: no such key. It
-- locks nothing. The usage of a seat is read as far as windows around all of its moments need it.
-- Before a call (p_before) the rows as they stand decide, and the caller's clock about nothing but the end of an overlap:
-- the server that made, replaced or revoked the key may have another clock. After a call its moment decides; it may lie
-- 5 s before the key was made, by another clock.
-- A seat without a working plan is no seat: Credits alone may pay for the call. But it is held (held_seat_id).
-- Each row is looked up apart from the others (OFFSET 0), so that none is joined to all.
CREATE OR REPLACE FUNCTION quota_call_states(
    p_key_public_ids text[], p_moments timestamptz[], p_before boolean, p_at timestamptz
) RETURNS TABLE (
    number bigint, key_public_id text, key_id bigint, key_salt bytea, key_root text, key_works boolean,
    membership_id bigint, team_id bigint, team_slug text, owes boolean, rate_card_id bigint, held_seat_id bigint,
    seat_id bigint, plan_id bigint, usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH facts AS (
        SELECT asked.number, asked.moment, k.key_id AS public_id, k.id, k.salt, k.root, k.membership_id, k.team_id, t.slug,
            held.seat_id, plan.plan_id,
            CASE WHEN p_before THEN
                k.revoked_at IS NULL AND m.ended_at IS NULL AND u.deactivated_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > greatest(asked.moment, k.replaced_at))
            ELSE
                k.created_at <= asked.moment + interval '5 seconds'
                AND (k.revoked_at IS NULL OR k.revoked_at > asked.moment)
                AND (k.expires_at IS NULL OR k.expires_at > asked.moment)
                AND (m.ended_at IS NULL OR m.ended_at > asked.moment)
                AND (u.deactivated_at IS NULL OR u.deactivated_at > asked.moment)
            END AS works
        FROM unnest(p_key_public_ids, p_moments) WITH ORDINALITY AS asked (public_id, moment, number)
            CROSS JOIN LATERAL (SELECT * FROM teams_subscriptionkey k WHERE k.key_id = asked.public_id OFFSET 0) k
            CROSS JOIN LATERAL (SELECT * FROM teams_team t WHERE t.id = k.team_id OFFSET 0) t
            CROSS JOIN LATERAL (SELECT * FROM teams_membership m WHERE m.id = k.membership_id OFFSET 0) m
            CROSS JOIN LATERAL (SELECT * FROM teams_user u WHERE u.id = m.user_id OFFSET 0) u
            LEFT JOIN LATERAL quota_held_seat(k.membership_id, p_before, asked.moment) held ON true
            LEFT JOIN LATERAL (
                SELECT e.plan_id FROM quota_entitlement e
                WHERE e.seat_id = held.seat_id AND e.starts_at <= asked.moment
                    AND (e.ends_at IS NULL OR e.ends_at > asked.moment)
                    AND (e.superseded_at IS NULL OR e.superseded_at > asked.moment)
                    AND (e.suspended_at IS NULL OR e.suspended_at > asked.moment)
                ORDER BY e.starts_at DESC LIMIT 1
            ) plan ON true
    ), seats AS (
        SELECT array_agg(f.seat_id) AS ids, array_agg(f.first) AS first, array_agg(f.last) AS last
        FROM (SELECT f.seat_id, min(f.moment) AS first, max(f.moment) AS last
            FROM facts f WHERE f.plan_id IS NOT NULL GROUP BY f.seat_id) f
    )
    SELECT f.number, f.public_id::text, f.id, f.salt, f.root::text, f.works, f.membership_id, f.team_id, f.slug::text,
        quota_owes(f.team_id, f.membership_id),
        (SELECT c.id FROM quota_ratecard c
            WHERE c.effective_from <= f.moment AND c.withdrawn_at IS NULL ORDER BY c.effective_from DESC LIMIT 1),
        f.seat_id, CASE WHEN f.plan_id IS NOT NULL THEN f.seat_id END, f.plan_id, u.usage
    FROM facts f LEFT JOIN (seats CROSS JOIN LATERAL quota_seat_usages(seats.ids, seats.first, seats.last, p_at) u)
        ON u.seat_id = f.seat_id AND f.plan_id IS NOT NULL;
END $$;

-- Locks a reservation, its key and its seat, in this order, and then reads. No row: no such reservation.
-- `at`: the moment, p_at or else the clock after the locks.
-- key_works, seat_works: whether a lease may still be drawn from (quota_lease_works).
CREATE OR REPLACE FUNCTION quota_reservation_state(p_reservation_id uuid, p_at timestamptz) RETURNS TABLE (
    at timestamptz, id uuid, gateway_id bigint, state text, expired boolean, created_at timestamptz, expires_at timestamptz,
    holds_until timestamptz, charges_at timestamptz, raised_at timestamptz, team_id bigint, membership_id bigint, key_id bigint,
    seat_id bigint, plan_id bigint, model text, agent text, tags jsonb, left_quota_nanousd bigint, left_credits_nanousd bigint, rate_card_id bigint,
    key_works boolean, seat_works boolean, api_key_id bigint, api_text_id bigint, left_balance_nanousd bigint,
    usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET lock_timeout = '3s'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_variable
-- A bare name is a column of the answer; columns of tables are written with the table's letter.
DECLARE
    v_team_id bigint := quota_team_of_hold(p_reservation_id);
BEGIN
    PERFORM quota_limit_transaction();
    SELECT r.id, r.gateway_id, r.state, r.expired, r.created_at, r.expires_at, r.holds_until, r.charges_at, r.raised_at,
            r.team_id, r.membership_id, r.key_id, r.seat_id, r.plan_id, r.model, r.agent, r.tags, r.left_quota_nanousd, r.left_credits_nanousd,
            r.rate_card_id, r.api_key_id, r.api_text_id, r.left_balance_nanousd
        INTO id, gateway_id, state, expired, created_at, expires_at, holds_until, charges_at, raised_at,
            team_id, membership_id, key_id, seat_id, plan_id, model, agent, tags, left_quota_nanousd, left_credits_nanousd, rate_card_id,
            api_key_id, api_text_id, left_balance_nanousd
        FROM quota_reservation r WHERE r.id = p_reservation_id AND r.team_id = v_team_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM 1 FROM teams_subscriptionkey k WHERE k.id = key_id FOR NO KEY UPDATE;
    PERFORM 1 FROM teams_seat s WHERE s.id = seat_id FOR NO KEY UPDATE;
    PERFORM 1 FROM teams_apikeytext x WHERE x.id = api_text_id FOR NO KEY UPDATE;
    at := coalesce(p_at, clock_timestamp());
    SELECT w.key_works, w.seat_works INTO key_works, seat_works
        FROM quota_lease_works(key_id, seat_id, membership_id, at) w;
    IF api_text_id IS NOT NULL THEN
        key_works := quota_api_text_works(api_text_id, at);
    END IF;
    IF seat_id IS NOT NULL THEN
        usage := (SELECT u.usage FROM quota_seat_usages(
            ARRAY[seat_id], ARRAY[created_at], ARRAY[quota_last_moment(model, created_at, expires_at, at)], at) u);
    END IF;
    RETURN NEXT;
END $$;
"""

BARS = """
-- One row for each membership: the seat it holds, what that is entitled to, the member's Credits, and, where the seat
-- works, its usage. Amounts are nano-dollars; `overflow` is of the member and the Team together. It locks nothing.
CREATE OR REPLACE FUNCTION quota_usage_bars(p_membership_ids bigint[], p_at timestamptz) RETURNS TABLE (
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
        coalesce(a.overflow, 'allow') = 'allow' AND c.overflow = 'allow',
        a.month_cap_nanousd,
        c.month_used, c.balance,
        -- Of an empty pool nobody may use anything.
        CASE WHEN c.balance > 0 THEN quota_usable_credits(
            f.team_id, f.id, f.plan_id IS NOT NULL AND NOT f.suspended, p_at, p_at, p_at, NULL, false) ELSE 0 END,
        c.owed, u.usage
    FROM facts f
        CROSS JOIN LATERAL quota_credits_of(f.team_id, f.id, p_at) c
        LEFT JOIN quota_creditaccess a ON a.membership_id = f.id
        LEFT JOIN (seats CROSS JOIN LATERAL quota_seat_usages(seats.ids, seats.moments, seats.moments, p_at) u) ON u.seat_id = f.seat_id;
END $$;
"""

PARTITIONS = """
-- Gives a table, which is or becomes a partition, what it does not get by being one. Where Teams are shared out over servers,
-- what is unique names the Team.
CREATE OR REPLACE FUNCTION quota_fit_partition(p_table text, p_name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_column text;
    v_team text := CASE WHEN to_regclass('pg_dist_partition') IS NULL THEN '' ELSE ', team_id' END;
BEGIN
    FOREACH v_column IN ARRAY CASE p_table
        WHEN 'quota_reservation' THEN ARRAY['windows', 'tags', 'request_hash']
        ELSE ARRAY['usage', 'tags', 'windows_before', 'windows_after', 'first_use_starts', 'usage_hash'] END
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER %I SET STATISTICS 0', p_name, v_column);
    END LOOP;
    IF p_table = 'quota_usageevent' THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (reservation_id, draw_id%s)', p_name || '_draws', p_name, v_team);
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (corrects_id, is_undo%s) WHERE corrects_id IS NOT NULL',
            p_name || '_corrections', p_name, v_team);
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0032_rows_name_their_team")]

    operations = [migrations.RunSQL(OF_A_TEAM + CREDITS + STATES + BARS + PARTITIONS)]
