"""What many calls, draws or reported events are decided by, locked and read in one statement, and what is written of them in
another one: for batches of calls (`quota.hot_path.gathered`) and for rows in bulk (`gathered_draws`, `gathered_events`).

Each statement inside of a function of PL/pgSQL sees afresh, so what is read is never older than the locks. Calls and draws
wait for nothing: what another transaction has locked is left out.
"""

from django.db import migrations

# Of older data: what these functions were before.
BEFORE = """
DROP FUNCTION IF EXISTS quota_write_charges(
    json, timestamptz, uuid[], bigint[], bigint[], bigint[], text[], timestamptz[], bigint[]
);
DROP FUNCTION IF EXISTS quota_gather_holds(uuid[], text[], timestamptz);
DROP FUNCTION IF EXISTS quota_gather_calls(text[], text[], text[], timestamptz);
DROP FUNCTION IF EXISTS quota_call_state(text, text, timestamptz, timestamptz, boolean);
DROP FUNCTION IF EXISTS quota_call_states(text[], boolean, timestamptz, timestamptz);
"""

CALL_STATES = """
-- All that authorize and the recording of an event need to know about each key at its moment. No row: no such key. It
-- locks nothing. The usage of a seat is read as far as windows around all of its moments need it.
-- Before a call (p_before) the rows as they stand decide, and the caller's clock about nothing but the end of an overlap:
-- the server that made, replaced or revoked the key may have another clock. After a call its moment decides; it may lie
-- 5 s before the key was made, by another clock.
-- A seat without a working plan is no seat: Credits alone may pay for the call. But it is held (held_seat_id).
-- Each row is looked up apart from the others (OFFSET 0), so that none is joined to all.
CREATE FUNCTION quota_call_states(
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
        EXISTS (SELECT 1 FROM quota_owedusage o WHERE o.account = 'credits' AND o.left_nanousd > 0
            AND o.membership_id = ANY(ARRAY(SELECT quota_memberships_of_one_person(f.membership_id)))),
        (SELECT c.id FROM quota_ratecard c
            WHERE c.effective_from <= f.moment AND c.withdrawn_at IS NULL ORDER BY c.effective_from DESC LIMIT 1),
        f.seat_id, CASE WHEN f.plan_id IS NOT NULL THEN f.seat_id END, f.plan_id, u.usage
    FROM facts f LEFT JOIN (seats CROSS JOIN LATERAL quota_seat_usages(seats.ids, seats.first, seats.last, p_at) u)
        ON u.seat_id = f.seat_id AND f.plan_id IS NOT NULL;
END $$;

-- The same of one key, and which hold a request had got before. With p_lock it locks the key and the seat it uses, in
-- this order, and waits at most 3 s for each.
CREATE FUNCTION quota_call_state(
    p_key_public_id text, p_request_id text, p_occurred_at timestamptz, p_at timestamptz, p_lock boolean
) RETURNS TABLE (
    key_id bigint, key_salt bytea, key_root text, key_works boolean,
    membership_id bigint, team_id bigint, team_slug text, owes boolean, rate_card_id bigint, prior_reservation_id uuid,
    seat_id bigint, plan_id bigint, usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET lock_timeout = '3s' AS $$
#variable_conflict use_variable
-- A bare name is a column of the answer; columns of tables are written with the table's letter.
DECLARE
    v_locked_seat_id bigint; v_state record;
BEGIN
    IF p_lock THEN
        PERFORM quota_limit_transaction();
        PERFORM 1 FROM teams_subscriptionkey k WHERE k.key_id = p_key_public_id FOR NO KEY UPDATE;
    END IF;
    LOOP  -- until the seat that is locked is the one that the member holds
        IF p_lock THEN
            SELECT h.seat_id INTO v_locked_seat_id FROM teams_subscriptionkey k
                CROSS JOIN LATERAL quota_held_seat(k.membership_id, p_request_id IS NOT NULL, p_occurred_at) h
                WHERE k.key_id = p_key_public_id;
            PERFORM 1 FROM teams_seat s WHERE s.id = v_locked_seat_id FOR NO KEY UPDATE;
        END IF;
        SELECT s.* INTO v_state
            FROM quota_call_states(ARRAY[p_key_public_id], ARRAY[p_occurred_at], p_request_id IS NOT NULL, p_at) s;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        EXIT WHEN NOT p_lock OR v_state.held_seat_id IS NOT DISTINCT FROM v_locked_seat_id;
    END LOOP;
    key_id := v_state.key_id; key_salt := v_state.key_salt; key_root := v_state.key_root; key_works := v_state.key_works;
    membership_id := v_state.membership_id; team_id := v_state.team_id; team_slug := v_state.team_slug;
    owes := v_state.owes; rate_card_id := v_state.rate_card_id;
    seat_id := v_state.seat_id; plan_id := v_state.plan_id; usage := v_state.usage;
    IF p_request_id IS NOT NULL THEN
        SELECT i.reservation_id INTO prior_reservation_id FROM quota_requestid i
            WHERE i.team_id = team_id AND i.request_id = p_request_id;
    END IF;
    RETURN NEXT;
END $$;
"""

# The gateway `g` whose credential each call or draw came with.
GATEWAY = """\
        -- Kept apart from the join, here and below, so that each row is found by its index.
        LEFT JOIN LATERAL (
            SELECT c.gateway_id FROM quota_gatewaycredential c
            WHERE c.token_hash = asked.credential_hash
                AND c.ended_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > v_at) OFFSET 0
        ) c ON true
        LEFT JOIN LATERAL (
            SELECT * FROM quota_gateway g WHERE g.id = c.gateway_id AND g.revoked_at IS NULL OFFSET 0
        ) g ON true
"""

CALLS = (
    """
-- One row for each call that is asked for, by its number from 1 on. `seated`: its key's member holds a seat. `key_id` and
-- what follows are NULL unless this transaction has locked the key and the seat; nothing is waited for. `gateway_id` is
-- NULL where the credential does not work. `asked_before`: the Team has used the request id. `usage` is NULL but for the
-- first call of each seat. The moment is p_at, or else the clock after the locks.
CREATE FUNCTION quota_gather_calls(
    p_key_public_ids text[], p_request_ids text[], p_credential_hashes text[], p_at timestamptz
) RETURNS TABLE (
    number bigint, at timestamptz, seated boolean, asked_before boolean,
    gateway_id bigint, max_lifetime_seconds integer, charge_hold boolean,
    key_id bigint, key_salt bytea, key_root text, key_works boolean, membership_id bigint, team_id bigint, team_slug text,
    owes boolean, rate_card_id bigint, seat_id bigint, plan_id bigint, usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_keys text[]; v_seats bigint[]; v_at timestamptz;
BEGIN
    PERFORM quota_limit_batch();
    SELECT coalesce(array_agg(l.key_id), '{}'), coalesce(array_agg(l.seat_id), '{}') INTO v_keys, v_seats
        FROM (SELECT DISTINCT unnest(p_key_public_ids) AS public_id) asked CROSS JOIN LATERAL (
            SELECT k.key_id::text, s.id AS seat_id
            FROM (SELECT * FROM teams_subscriptionkey k WHERE k.key_id = asked.public_id FOR NO KEY UPDATE SKIP LOCKED) k
                CROSS JOIN LATERAL (
                    SELECT h.seat_id FROM teams_seatholding h
                    WHERE h.membership_id = k.membership_id AND h.ended_at IS NULL OFFSET 0
                ) h
                CROSS JOIN LATERAL (
                    SELECT s.id FROM teams_seat s WHERE s.id = h.seat_id FOR NO KEY UPDATE SKIP LOCKED
                ) s
        ) l;
    v_at := coalesce(p_at, clock_timestamp());
    RETURN QUERY
    SELECT asked.number, v_at,
        -- No EXISTS, for which the planner may read all seats that anybody holds, once for the batch.
        coalesce((SELECT true FROM teams_seatholding h WHERE h.ended_at IS NULL AND h.membership_id =
            (SELECT k.membership_id FROM teams_subscriptionkey k WHERE k.key_id = asked.key_public_id)), false),
        i.reservation_id IS NOT NULL,
        g.id, g.max_lifetime_seconds, g.charge_hold,
        state.key_id, state.key_salt, state.key_root, state.key_works, state.membership_id, state.team_id, state.team_slug,
        state.owes, state.rate_card_id, state.seat_id, state.plan_id,
        CASE WHEN row_number() OVER (PARTITION BY state.seat_id ORDER BY asked.number) = 1 THEN state.usage END
    FROM unnest(p_key_public_ids, p_request_ids, p_credential_hashes) WITH ORDINALITY
            AS asked (key_public_id, request_id, credential_hash, number)
"""
    + GATEWAY
    + """\
        -- The seat that the key uses must be the one that is locked with it.
        LEFT JOIN (quota_call_states(v_keys, array_fill(v_at, ARRAY[cardinality(v_keys)]), true, v_at) state
            JOIN unnest(v_keys, v_seats) AS lock (key_public_id, seat_id)
                ON lock.key_public_id = state.key_public_id AND lock.seat_id = state.held_seat_id)
            ON state.key_public_id = asked.key_public_id
        LEFT JOIN LATERAL (
            SELECT r.reservation_id FROM quota_requestid r
            WHERE r.team_id = state.team_id AND r.request_id = asked.request_id OFFSET 0
        ) i ON true
    ORDER BY asked.number;
END $$;
"""
)

HOLDS = (
    """
-- One row for each draw, by its number from 1 on. `is_open`: its hold is on a seat, and open. `id` and what follows are NULL
-- unless this transaction has locked the hold and its seat. `by_gateway_id` is NULL where the credential does not work.
-- `drawn_hash`: what the draw of this id, which is recorded already, had reported. `usage` is NULL but for the first draw of
-- each seat, and then as all of their holds need it. The moment is p_at, or else the clock after the locks.
CREATE FUNCTION quota_gather_holds(p_ids uuid[], p_draw_ids text[], p_credential_hashes text[], p_at timestamptz)
RETURNS TABLE (
    number bigint, at timestamptz, is_open boolean, by_gateway_id bigint, drawn_hash text,
    id uuid, gateway_id bigint, state text, expired boolean, created_at timestamptz, expires_at timestamptz,
    holds_until timestamptz, charges_at timestamptz, raised_at timestamptz, team_id bigint, membership_id bigint,
    key_id bigint, seat_id bigint, plan_id bigint, model text, agent text, tags jsonb,
    left_quota_nanousd bigint, left_credits_nanousd bigint, rate_card_id bigint, key_works boolean, seat_works boolean,
    usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_ids uuid[]; v_at timestamptz;
    -- Where they are: of a list of ids the planner does not know which partitions they are in.
    v_first uuid := (SELECT h.id FROM unnest(p_ids) AS h (id) ORDER BY h.id LIMIT 1);
    v_last uuid := (SELECT h.id FROM unnest(p_ids) AS h (id) ORDER BY h.id DESC LIMIT 1);
    -- No draw is older than its hold, and a day is for clocks: so no older partition is searched. A bound on the other side
    -- would make the planner take what lies between for little, and read all of it.
    v_oldest uuid := quota_day_before(v_first);
BEGIN
    PERFORM quota_limit_batch();
    -- Here and below a state is asked for in words that no index of open holds has, or the planner may read all of those.
    SELECT coalesce(array_agg(l.id), '{}') INTO v_ids
        FROM (SELECT DISTINCT unnest(p_ids) AS id) asked CROSS JOIN LATERAL (
            SELECT r.id FROM (
                SELECT r.id, r.seat_id FROM quota_reservation r
                WHERE r.id = asked.id AND r.id BETWEEN v_first AND v_last AND r.state IS NOT DISTINCT FROM 'held'
                FOR NO KEY UPDATE SKIP LOCKED
            ) r CROSS JOIN LATERAL (
                SELECT FROM teams_seat s WHERE s.id = r.seat_id FOR NO KEY UPDATE SKIP LOCKED
            ) s
        ) l;
    v_at := coalesce(p_at, clock_timestamp());
    RETURN QUERY
    WITH hold AS MATERIALIZED (
        SELECT r.*, w.key_works, w.seat_works
        FROM quota_reservation r CROSS JOIN LATERAL quota_lease_works(r.key_id, r.seat_id, r.membership_id, v_at) w
        WHERE r.id = ANY(v_ids) AND r.id BETWEEN v_first AND v_last
    ), seat AS (
        SELECT array_agg(s.seat_id) AS ids, array_agg(s.first) AS first, array_agg(s.last) AS last
        FROM (SELECT h.seat_id, min(h.created_at) AS first,
                max(quota_last_moment(h.model, h.created_at, h.expires_at, v_at)) AS last
            FROM hold h GROUP BY h.seat_id) s
    )
    SELECT asked.number, v_at, o.id IS NOT NULL, g.id, v.usage_hash::text,
        h.id, h.gateway_id, h.state::text, h.expired, h.created_at, h.expires_at, h.holds_until, h.charges_at, h.raised_at,
        h.team_id, h.membership_id, h.key_id, h.seat_id, h.plan_id, h.model::text, h.agent::text, h.tags,
        h.left_quota_nanousd, h.left_credits_nanousd, h.rate_card_id, h.key_works, h.seat_works,
        CASE WHEN row_number() OVER (PARTITION BY h.seat_id ORDER BY asked.number) = 1 THEN u.usage END
    FROM unnest(p_ids, p_draw_ids, p_credential_hashes) WITH ORDINALITY AS asked (id, draw_id, credential_hash, number)
"""
    + GATEWAY
    + """\
        LEFT JOIN LATERAL (
            SELECT r.id FROM quota_reservation r WHERE r.id = asked.id AND r.id BETWEEN v_first AND v_last
                AND r.state IS NOT DISTINCT FROM 'held' AND r.seat_id IS NOT NULL OFFSET 0
        ) o ON true
        LEFT JOIN hold h ON h.id = asked.id
        LEFT JOIN LATERAL (
            SELECT e.usage_hash FROM quota_usageevent e
            WHERE e.reservation_id = h.id AND e.draw_id = asked.draw_id AND asked.draw_id <> '' AND e.id >= v_oldest OFFSET 0
        ) v ON true
        LEFT JOIN (seat CROSS JOIN LATERAL quota_seat_usages(seat.ids, seat.first, seat.last, v_at) u) ON u.seat_id = h.seat_id
    ORDER BY asked.number;
END $$;

-- Whether a lease may still be drawn from, by the rows as they stand: whether its key works, and its seat. The caller's
-- clock decides about nothing but the end of an overlap or of an entitlement.
CREATE FUNCTION quota_lease_works(p_key_id bigint, p_seat_id bigint, p_membership_id bigint, p_at timestamptz)
RETURNS TABLE (key_works boolean, seat_works boolean) LANGUAGE sql STABLE AS $$
    SELECT
        (SELECT k.revoked_at IS NULL AND m.ended_at IS NULL AND u.deactivated_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > greatest(p_at, k.replaced_at))
            FROM teams_subscriptionkey k
                CROSS JOIN LATERAL (SELECT * FROM teams_membership m WHERE m.id = k.membership_id OFFSET 0) m
                CROSS JOIN LATERAL (SELECT * FROM teams_user u WHERE u.id = m.user_id OFFSET 0) u
            WHERE k.id = p_key_id),
        p_seat_id IS NULL OR (
            EXISTS (SELECT 1 FROM teams_seatholding h
                WHERE h.seat_id = p_seat_id AND h.membership_id = p_membership_id AND h.ended_at IS NULL)
            AND EXISTS (SELECT 1 FROM quota_entitlement e
                WHERE e.seat_id = p_seat_id AND e.superseded_at IS NULL
                AND (e.suspended_at IS NULL OR e.suspended_at > p_at)  -- after the days of grace
                AND (e.ends_at IS NULL OR e.ends_at > p_at)))
$$;
"""
)

EVENTS = """
-- One row for each call that is reported, by its number from 1 on. `key_id` and what follows are NULL unless its key was locked,
-- and with it the seat that its member held at the call's moment. `recorded_hash`: what the event of this id, which the Team
-- has already, had reported; `recorded_of`: the hold that it was drawn from. `usage` is NULL but for the first call of each
-- seat, and then as all of them need it. Of an event that is no longer kept the hash is empty.
-- Keys and then seats are waited for, each kind by its primary key, as everybody else takes them: of many reports at once
-- about the same keys one is recorded after another.
CREATE FUNCTION quota_gather_events(p_key_public_ids text[], p_moments timestamptz[], p_event_ids text[], p_at timestamptz)
RETURNS TABLE (
    number bigint, recorded_hash text, recorded_of uuid,
    key_id bigint, key_works boolean, membership_id bigint, team_id bigint, rate_card_id bigint,
    seat_id bigint, plan_id bigint, usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET lock_timeout = '1s' SET plan_cache_mode = 'force_generic_plan'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    -- What is locked in the order of ids is asked for by its ids, or the planner may read all in that order.
    v_keys bigint[] := ARRAY(SELECT (SELECT k.id FROM teams_subscriptionkey k WHERE k.key_id = asked.public_id)
        FROM unnest(p_key_public_ids) AS asked (public_id));
    v_seats bigint[];
BEGIN
    PERFORM quota_limit_batch();
    PERFORM 1 FROM teams_subscriptionkey k WHERE k.id = ANY(v_keys) ORDER BY k.id FOR NO KEY UPDATE;
    v_seats := ARRAY(SELECT held.seat_id FROM unnest(v_keys, p_moments) AS asked (key_id, moment)
        CROSS JOIN LATERAL (SELECT k.membership_id FROM teams_subscriptionkey k WHERE k.id = asked.key_id OFFSET 0) k
        CROSS JOIN LATERAL quota_held_seat(k.membership_id, false, asked.moment) held);
    PERFORM 1 FROM teams_seat s WHERE s.id = ANY(v_seats) ORDER BY s.id FOR NO KEY UPDATE;
    RETURN QUERY
    SELECT asked.number, CASE WHEN i.event_id IS NOT NULL THEN coalesce(v.usage_hash, '')::text END, v.reservation_id,
        state.key_id, state.key_works, state.membership_id, state.team_id, state.rate_card_id, state.seat_id, state.plan_id,
        CASE WHEN row_number() OVER (PARTITION BY state.seat_id ORDER BY asked.number) = 1 THEN state.usage END
    FROM unnest(p_key_public_ids, p_moments, p_event_ids) WITH ORDINALITY AS asked (public_id, moment, event_id, number)
        -- The seat that was used must be one that is locked.
        LEFT JOIN quota_call_states(p_key_public_ids, p_moments, false, p_at) state
            ON state.number = asked.number AND state.held_seat_id = ANY(v_seats)
        LEFT JOIN LATERAL (
            SELECT r.event_id FROM quota_eventid r
            WHERE r.team_id = state.team_id AND r.external_id = asked.event_id OFFSET 0
        ) i ON true
        LEFT JOIN LATERAL (
            SELECT e.usage_hash, e.reservation_id FROM quota_usageevent e WHERE e.id = i.event_id OFFSET 0
        ) v ON true
    ORDER BY asked.number;
END $$;
"""

CHARGES = """
-- Writes the events, which are rows of the table as JSON; adds to the buckets of their seats; and takes from their holds
-- (p_ids) so much each, which become p_becomes, or stay as they are where that is empty.
CREATE FUNCTION quota_write_charges(
    p_rows json, p_at timestamptz, p_ids uuid[], p_drawn_quota bigint[], p_drawn_credits bigint[], p_becomes text[],
    p_seat_ids bigint[], p_rules text[], p_starts timestamptz[], p_used bigint[]
) RETURNS void LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_first uuid := (SELECT h.id FROM unnest(p_ids) AS h (id) ORDER BY h.id LIMIT 1);
    v_last uuid := (SELECT h.id FROM unnest(p_ids) AS h (id) ORDER BY h.id DESC LIMIT 1);
BEGIN
    UPDATE quota_reservation r SET
            left_quota_nanousd = r.left_quota_nanousd - d.drawn_quota,
            left_credits_nanousd = r.left_credits_nanousd - d.drawn_credits,
            state = CASE d.becomes WHEN '' THEN r.state ELSE d.becomes END,
            closed_at = CASE d.becomes WHEN '' THEN r.closed_at ELSE p_at END
        FROM unnest(p_ids, p_drawn_quota, p_drawn_credits, p_becomes) AS d (id, drawn_quota, drawn_credits, becomes)
        WHERE r.id = d.id AND r.id BETWEEN v_first AND v_last;
    INSERT INTO quota_usagebucket AS b (seat_id, rule, starts_at, used_nanousd)
        SELECT * FROM unnest(p_seat_ids, p_rules, p_starts, p_used)
        ON CONFLICT (seat_id, rule, starts_at) DO UPDATE SET used_nanousd = b.used_nanousd + EXCLUDED.used_nanousd;
    WITH event AS MATERIALIZED (
        SELECT * FROM json_populate_recordset(NULL::quota_usageevent, p_rows)
    ), named AS (
        INSERT INTO quota_eventid (team_id, external_id, event_id)
        SELECT team_id, external_id, id FROM event WHERE external_id IS NOT NULL
    ), used AS (
        -- Of a call that was asked for, its authorize has noted that. These keys are locked.
        UPDATE teams_subscriptionkey k SET last_used_at = e.at
        FROM (SELECT key_id, max(occurred_at) AS at FROM event WHERE reservation_id IS NULL GROUP BY key_id) e
        WHERE k.id = e.key_id AND (k.last_used_at IS NULL OR k.last_used_at < e.at - interval '1 minute')
    )
    INSERT INTO quota_usageevent SELECT * FROM event;
END $$;
"""

DROP = """
DROP FUNCTION quota_write_charges(
    json, timestamptz, uuid[], bigint[], bigint[], text[], bigint[], text[], timestamptz[], bigint[]
);
DROP FUNCTION quota_gather_events(text[], timestamptz[], text[], timestamptz);
DROP FUNCTION quota_lease_works(bigint, bigint, bigint, timestamptz);
DROP FUNCTION quota_gather_holds(uuid[], text[], text[], timestamptz);
DROP FUNCTION quota_gather_calls(text[], text[], text[], timestamptz);
DROP FUNCTION quota_call_state(text, text, timestamptz, timestamptz, boolean);
DROP FUNCTION quota_call_states(text[], timestamptz[], boolean, timestamptz);
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0018_stored_windows")]

    operations = [migrations.RunSQL(BEFORE + CALL_STATES + CALLS + HOLDS + EVENTS + CHARGES, DROP)]
