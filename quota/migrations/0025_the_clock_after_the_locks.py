"""The moment of a decision is the database's, after its locks, where the caller passes none."""

from django.db import migrations

DROP = """
DROP FUNCTION quota_call_state(text, text, timestamptz, timestamptz, boolean);
DROP FUNCTION quota_api_call_state(text, text, timestamptz, timestamptz, boolean);
DROP FUNCTION quota_reservation_state(uuid, timestamptz);
"""

CALL_STATE = """
-- What `quota_call_states` says of one key, and which hold a request had got before. With p_lock it locks the key and the
-- seat it uses, in this order, and waits at most 3 s for each. `at`: the moment, p_at or else the clock after the locks; where
-- p_occurred_at is NULL too, the call occurs then.
CREATE FUNCTION quota_call_state(
    p_key_public_id text, p_request_id text, p_occurred_at timestamptz, p_at timestamptz, p_lock boolean
) RETURNS TABLE (
    at timestamptz, key_id bigint, key_salt bytea, key_root text, key_works boolean,
    membership_id bigint, team_id bigint, team_slug text, owes boolean, rate_card_id bigint, prior_reservation_id uuid,
    seat_id bigint, plan_id bigint, usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET lock_timeout = '3s'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_variable
-- A bare name is a column of the answer; columns of tables are written with the table's letter.
DECLARE
    v_locked_seat_id bigint; v_state record; v_occurred_at timestamptz;
BEGIN
    IF p_lock THEN
        PERFORM quota_limit_transaction();
        PERFORM 1 FROM teams_subscriptionkey k WHERE k.key_id = p_key_public_id FOR NO KEY UPDATE;
    END IF;
    LOOP  -- until the seat that is locked is the one that the member holds
        IF p_lock THEN
            SELECT h.seat_id INTO v_locked_seat_id FROM teams_subscriptionkey k
                CROSS JOIN LATERAL quota_held_seat(
                    k.membership_id, p_request_id IS NOT NULL, coalesce(p_occurred_at, p_at, clock_timestamp())) h
                WHERE k.key_id = p_key_public_id;
            PERFORM 1 FROM teams_seat s WHERE s.id = v_locked_seat_id FOR NO KEY UPDATE;
        END IF;
        at := coalesce(p_at, clock_timestamp());
        v_occurred_at := coalesce(p_occurred_at, at);
        SELECT s.* INTO v_state
            FROM quota_call_states(ARRAY[p_key_public_id], ARRAY[v_occurred_at], p_request_id IS NOT NULL, at) s;
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

API_CALL_STATE = """
-- What `quota_call_state` says of a Subscription Key, of an API key: key_id is its text's. It has no seat and no plan.
CREATE FUNCTION quota_api_call_state(
    p_key_public_id text, p_request_id text, p_occurred_at timestamptz, p_at timestamptz, p_lock boolean
) RETURNS TABLE (
    at timestamptz, key_id bigint, key_salt bytea, key_root text, key_works boolean,
    membership_id bigint, team_id bigint, team_slug text, owes boolean, rate_card_id bigint, prior_reservation_id uuid,
    seat_id bigint, plan_id bigint, api_key_id bigint, usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET lock_timeout = '3s'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_variable
-- A bare name is a column of the answer; columns of tables are written with the table's letter.
DECLARE
    v_occurred_at timestamptz;
BEGIN
    IF p_lock THEN
        PERFORM quota_limit_transaction();
        PERFORM 1 FROM teams_apikeytext x WHERE x.key_id = p_key_public_id FOR NO KEY UPDATE;
    END IF;
    at := coalesce(p_at, clock_timestamp());
    v_occurred_at := coalesce(p_occurred_at, at);
    -- After a call (there is no p_request_id) its moment decides; it may lie 5 s before the text was made.
    SELECT x.id, x.salt, x.root, x.membership_id, x.team_id, t.slug, x.api_key_id,
            CASE WHEN p_request_id IS NOT NULL THEN quota_api_text_works(x.id, v_occurred_at)
            ELSE
                x.created_at <= v_occurred_at + interval '5 seconds'
                AND (x.revoked_at IS NULL OR x.revoked_at > v_occurred_at)
                AND (a.revoked_at IS NULL OR a.revoked_at > v_occurred_at)
                AND (x.expires_at IS NULL OR x.expires_at > v_occurred_at)
                AND (a.expires_at IS NULL OR a.expires_at > v_occurred_at)
                AND (m.ended_at IS NULL OR m.ended_at > v_occurred_at)
                AND (u.deactivated_at IS NULL OR u.deactivated_at > v_occurred_at)
            END
        INTO key_id, key_salt, key_root, membership_id, team_id, team_slug, api_key_id, key_works
        FROM teams_apikeytext x
            CROSS JOIN LATERAL (SELECT * FROM teams_apikey a WHERE a.id = x.api_key_id OFFSET 0) a
            CROSS JOIN LATERAL (SELECT * FROM teams_team t WHERE t.id = x.team_id OFFSET 0) t
            CROSS JOIN LATERAL (SELECT * FROM teams_membership m WHERE m.id = x.membership_id OFFSET 0) m
            CROSS JOIN LATERAL (SELECT * FROM teams_user u WHERE u.id = m.user_id OFFSET 0) u
        WHERE x.key_id = p_key_public_id;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    owes := EXISTS (SELECT 1 FROM quota_owedusage o
        WHERE o.account = 'balance' AND o.left_nanousd > 0 AND o.team_id = team_id);
    SELECT c.id INTO rate_card_id FROM quota_ratecard c
        WHERE c.effective_from <= v_occurred_at AND c.withdrawn_at IS NULL ORDER BY c.effective_from DESC LIMIT 1;
    IF p_request_id IS NOT NULL THEN
        SELECT i.reservation_id INTO prior_reservation_id FROM quota_requestid i
            WHERE i.team_id = team_id AND i.request_id = p_request_id;
    END IF;
    RETURN NEXT;
END $$;
"""

RESERVATION_STATE = """
-- Locks a reservation, its key and its seat, in this order, and then reads. No row: no such reservation.
-- `at`: the moment, p_at or else the clock after the locks.
-- key_works, seat_works: whether a lease may still be drawn from (quota_lease_works).
CREATE FUNCTION quota_reservation_state(p_reservation_id uuid, p_at timestamptz) RETURNS TABLE (
    at timestamptz, id uuid, gateway_id bigint, state text, expired boolean, created_at timestamptz, expires_at timestamptz,
    holds_until timestamptz, charges_at timestamptz, raised_at timestamptz, team_id bigint, membership_id bigint, key_id bigint,
    seat_id bigint, plan_id bigint, model text, agent text, tags jsonb, left_quota_nanousd bigint, left_credits_nanousd bigint, rate_card_id bigint,
    key_works boolean, seat_works boolean, api_key_id bigint, api_text_id bigint, left_balance_nanousd bigint,
    usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET lock_timeout = '3s'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
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


class Migration(migrations.Migration):
    dependencies = [("quota", "0022_calls_by_month")]

    operations = [migrations.RunSQL(DROP + CALL_STATE + API_CALL_STATE + RESERVATION_STATE)]
