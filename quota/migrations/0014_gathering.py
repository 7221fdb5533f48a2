"""What a batch of calls, or of reports, is decided by, locked and read in one statement, and what it writes in another
one (`quota.hot_path.gathered`).

Each statement inside of a function of PL/pgSQL sees afresh, so what is read is never older than the locks.
"""

from django.db import migrations

LIMITS = """
-- A batch that takes so long is given up, and each of its calls goes alone.
CREATE FUNCTION quota_limit_batch() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('lock_timeout', '1s', true), set_config('statement_timeout', '10s', true),
        set_config('idle_in_transaction_session_timeout', '60s', true);
END $$;
"""

CALLS = """
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
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan' AS $$
#variable_conflict use_column
DECLARE
    v_keys text[]; v_seats bigint[]; v_at timestamptz;
BEGIN
    PERFORM quota_limit_batch();
    SELECT coalesce(array_agg(l.key_id), '{}'), coalesce(array_agg(l.seat_id), '{}') INTO v_keys, v_seats FROM (
        SELECT k.key_id::text, s.id AS seat_id
        FROM teams_subscriptionkey k
            JOIN teams_seatholding h ON h.membership_id = k.membership_id AND h.ended_at IS NULL
            JOIN teams_seat s ON s.id = h.seat_id
        WHERE k.key_id = ANY(p_key_public_ids)
        FOR NO KEY UPDATE OF k, s SKIP LOCKED
    ) l;
    v_at := coalesce(p_at, clock_timestamp());
    RETURN QUERY
    SELECT asked.number, v_at,
        EXISTS (SELECT 1 FROM teams_subscriptionkey k JOIN teams_seatholding h ON h.membership_id = k.membership_id
            WHERE k.key_id = asked.key_public_id AND h.ended_at IS NULL),
        r.id IS NOT NULL,
        g.id, g.max_lifetime_seconds, g.charge_hold,
        state.key_id, state.key_salt, state.key_root, state.key_works, state.membership_id, state.team_id, state.team_slug,
        state.owes, state.rate_card_id, state.seat_id, state.plan_id,
        CASE WHEN row_number() OVER (PARTITION BY state.seat_id ORDER BY asked.number) = 1 THEN state.usage END
    FROM unnest(p_key_public_ids, p_request_ids, p_credential_hashes) WITH ORDINALITY
            AS asked (key_public_id, request_id, credential_hash, number)
        LEFT JOIN quota_gatewaycredential c ON c.token_hash = asked.credential_hash
            AND c.ended_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > v_at)
        LEFT JOIN quota_gateway g ON g.id = c.gateway_id AND g.revoked_at IS NULL
        -- The seat that the key uses must be the one that is locked with it.
        LEFT JOIN (quota_call_states(v_keys, true, v_at, v_at) state
            JOIN unnest(v_keys, v_seats) AS lock (key_public_id, seat_id)
                ON lock.key_public_id = state.key_public_id AND lock.seat_id = state.held_seat_id)
            ON state.key_public_id = asked.key_public_id
        LEFT JOIN quota_reservation r ON r.team_id = state.team_id AND r.request_id = asked.request_id
    ORDER BY asked.number;
END $$;
"""

HOLDS = """
-- One row for each report, by its number from 1 on. `is_open`: its hold is a call's on a seat, and open. `id` and what
-- follows are NULL unless this transaction has locked the hold and its seat; nothing is waited for. `by_gateway_id` is
-- NULL where the credential does not work. `usage` is NULL but for the first report of each seat, and then as the oldest of
-- their holds needs it. The moment is p_at, or else the clock after the locks.
CREATE FUNCTION quota_gather_holds(p_ids uuid[], p_credential_hashes text[], p_at timestamptz) RETURNS TABLE (
    number bigint, at timestamptz, is_open boolean, by_gateway_id bigint,
    id uuid, gateway_id bigint, state text, expired boolean, created_at timestamptz, expires_at timestamptz,
    holds_until timestamptz, charges_at timestamptz, raised_at timestamptz, team_id bigint, membership_id bigint,
    key_id bigint, seat_id bigint, plan_id bigint, model text, agent text, tags jsonb,
    left_quota_nanousd bigint, left_credits_nanousd bigint, rate_card_id bigint, usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan' AS $$
#variable_conflict use_column
DECLARE
    v_ids uuid[]; v_at timestamptz;
BEGIN
    PERFORM quota_limit_batch();
    SELECT coalesce(array_agg(l.id), '{}') INTO v_ids FROM (
        SELECT r.id FROM quota_reservation r JOIN teams_seat s ON s.id = r.seat_id
        WHERE r.id = ANY(p_ids) AND r.state = 'held' AND r.model <> ''
        FOR NO KEY UPDATE OF r, s SKIP LOCKED
    ) l;
    v_at := coalesce(p_at, clock_timestamp());
    RETURN QUERY
    WITH hold AS MATERIALIZED (
        SELECT r.* FROM quota_reservation r WHERE r.id = ANY(v_ids)
    ), seat AS (
        SELECT array_agg(s.seat_id) AS ids, array_agg(s.moment) AS moments
        FROM (SELECT h.seat_id, min(h.created_at) AS moment FROM hold h GROUP BY h.seat_id) s
    )
    SELECT asked.number, v_at, o.id IS NOT NULL, g.id,
        h.id, h.gateway_id, h.state::text, h.expired, h.created_at, h.expires_at, h.holds_until, h.charges_at, h.raised_at,
        h.team_id, h.membership_id, h.key_id, h.seat_id, h.plan_id, h.model::text, h.agent::text, h.tags,
        h.left_quota_nanousd, h.left_credits_nanousd, h.rate_card_id,
        CASE WHEN row_number() OVER (PARTITION BY h.seat_id ORDER BY asked.number) = 1 THEN u.usage END
    FROM unnest(p_ids, p_credential_hashes) WITH ORDINALITY AS asked (id, credential_hash, number)
        LEFT JOIN quota_gatewaycredential c ON c.token_hash = asked.credential_hash
            AND c.ended_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > v_at)
        LEFT JOIN quota_gateway g ON g.id = c.gateway_id AND g.revoked_at IS NULL
        LEFT JOIN quota_reservation o ON o.id = asked.id AND o.state = 'held' AND o.model <> '' AND o.seat_id IS NOT NULL
        LEFT JOIN hold h ON h.id = asked.id
        LEFT JOIN (seat CROSS JOIN LATERAL quota_seat_usages(seat.ids, seat.moments, v_at) u) ON u.seat_id = h.seat_id
    ORDER BY asked.number;
END $$;
"""

WRITES = """
-- Writes the holds, which are rows of the table as JSON, and notes that their keys were used, where the last use is of
-- before p_last_used_before. Answers how many were new: a request id that the Team has used is none.
CREATE FUNCTION quota_write_holds(p_rows json, p_key_ids bigint[], p_at timestamptz, p_last_used_before timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan' AS $$
DECLARE
    v_written bigint;
BEGIN
    UPDATE teams_subscriptionkey k SET last_used_at = p_at
        WHERE k.id = ANY(p_key_ids) AND (k.last_used_at IS NULL OR k.last_used_at < p_last_used_before);
    INSERT INTO quota_reservation SELECT * FROM json_populate_recordset(NULL::quota_reservation, p_rows)
        ON CONFLICT (team_id, request_id) DO NOTHING;
    GET DIAGNOSTICS v_written = ROW_COUNT;
    RETURN v_written;
END $$;

-- Writes the events, which are rows of the table as JSON, settles their holds (p_ids), each of which loses so much, and
-- adds to the buckets of their seats.
CREATE FUNCTION quota_write_charges(
    p_rows json, p_at timestamptz, p_ids uuid[], p_drawn_quota bigint[], p_drawn_credits bigint[],
    p_seat_ids bigint[], p_rules text[], p_starts timestamptz[], p_used bigint[]
) RETURNS void LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan' AS $$
BEGIN
    UPDATE quota_reservation r SET
            left_quota_nanousd = r.left_quota_nanousd - d.drawn_quota,
            left_credits_nanousd = r.left_credits_nanousd - d.drawn_credits,
            state = 'settled', closed_at = p_at
        FROM unnest(p_ids, p_drawn_quota, p_drawn_credits) AS d (id, drawn_quota, drawn_credits) WHERE r.id = d.id;
    INSERT INTO quota_usagebucket AS b (seat_id, rule, starts_at, used_nanousd)
        SELECT * FROM unnest(p_seat_ids, p_rules, p_starts, p_used)
        ON CONFLICT (seat_id, rule, starts_at) DO UPDATE SET used_nanousd = b.used_nanousd + EXCLUDED.used_nanousd;
    INSERT INTO quota_usageevent SELECT * FROM json_populate_recordset(NULL::quota_usageevent, p_rows);
END $$;
"""

DROP = """
DROP FUNCTION quota_write_charges(
    json, timestamptz, uuid[], bigint[], bigint[], bigint[], text[], timestamptz[], bigint[]
);
DROP FUNCTION quota_write_holds(json, bigint[], timestamptz, timestamptz);
DROP FUNCTION quota_gather_holds(uuid[], text[], timestamptz);
DROP FUNCTION quota_gather_calls(text[], text[], text[], timestamptz);
DROP FUNCTION quota_limit_batch();
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0013_lean_hot_tables")]

    operations = [migrations.RunSQL(LIMITS + CALLS + HOLDS + WRITES, DROP)]
