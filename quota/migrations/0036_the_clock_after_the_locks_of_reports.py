"""The moment of many reported calls is the database's, after its locks, where the caller passes none; and which of them are out
of time is known only then.
"""

import importlib

from django.db import migrations

DROP = "DROP FUNCTION quota_gather_events(text[], timestamptz[], text[], timestamptz);"

EVENTS = """
-- One row for each call that is reported, by its number from 1 on. `at`: the moment, p_at or else the clock after the locks.
-- `key_id` and what follows are NULL unless its key was locked, and with it the seat that its member held at the call's moment;
-- and where that moment lies more than p_late before or p_ahead after `at`. `recorded_hash`: what the event of this id, which
-- the Team has already, had reported; `recorded_of`: the hold that it was drawn from. `usage` is NULL but for the first call of
-- each seat, and then as all of them need it. Of an event that is no longer kept the hash is all zeros.
-- Keys and then seats are waited for, each kind by its primary key, as everybody else takes them: of many reports at once
-- about the same keys one is recorded after another.
CREATE FUNCTION quota_gather_events(
    p_key_public_ids text[], p_moments timestamptz[], p_event_ids text[], p_late interval, p_ahead interval, p_at timestamptz
) RETURNS TABLE (
    number bigint, at timestamptz, recorded_hash uuid, recorded_of uuid,
    key_id bigint, key_works boolean, membership_id bigint, team_id bigint, rate_card_id bigint,
    seat_id bigint, plan_id bigint, usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET lock_timeout = '1s' SET plan_cache_mode = 'force_generic_plan'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    -- What is locked in the order of ids is asked for by its ids, or the planner may read all in that order.
    v_keys bigint[] := ARRAY(SELECT (SELECT k.id FROM teams_subscriptionkey k WHERE k.key_id = asked.public_id)
        FROM unnest(p_key_public_ids) AS asked (public_id));
    v_seats bigint[]; v_at timestamptz; v_in_time text[];
BEGIN
    PERFORM quota_limit_batch();
    PERFORM 1 FROM teams_subscriptionkey k WHERE k.id = ANY(v_keys) ORDER BY k.id FOR NO KEY UPDATE;
    v_seats := ARRAY(SELECT held.seat_id FROM unnest(v_keys, p_moments) AS asked (key_id, moment)
        CROSS JOIN LATERAL (SELECT k.membership_id FROM teams_subscriptionkey k WHERE k.id = asked.key_id OFFSET 0) k
        CROSS JOIN LATERAL quota_held_seat(k.membership_id, false, asked.moment) held);
    PERFORM 1 FROM teams_seat s WHERE s.id = ANY(v_seats) ORDER BY s.id FOR NO KEY UPDATE;
    v_at := coalesce(p_at, clock_timestamp());
    -- For what is out of time nothing is read: usage between it and the others may be of years.
    v_in_time := ARRAY(
        SELECT CASE WHEN asked.moment BETWEEN v_at - p_late AND v_at + p_ahead THEN asked.public_id END
        FROM unnest(p_key_public_ids, p_moments) WITH ORDINALITY AS asked (public_id, moment, number) ORDER BY asked.number);
    RETURN QUERY
    SELECT asked.number, v_at, CASE WHEN i.event_id IS NOT NULL
            THEN coalesce(v.usage_hash, '00000000-0000-0000-0000-000000000000') END, v.reservation_id,
        state.key_id, state.key_works, state.membership_id, state.team_id, state.rate_card_id, state.seat_id, state.plan_id,
        CASE WHEN row_number() OVER (PARTITION BY state.seat_id ORDER BY asked.number) = 1 THEN state.usage END
    FROM unnest(p_event_ids) WITH ORDINALITY AS asked (event_id, number)
        -- The seat that was used must be one that is locked.
        LEFT JOIN quota_call_states(v_in_time, p_moments, false, v_at) state
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


def as_it_was():
    made = importlib.import_module("quota.migrations.0031_fewer_bytes_a_call").functions_anew()
    return next(function for function in made if "FUNCTION quota_gather_events(" in function)


BACK = (
    "DROP FUNCTION quota_gather_events(text[], timestamptz[], text[], interval, interval, timestamptz);" + as_it_was()
)


class Migration(migrations.Migration):
    dependencies = [("quota", "0035_buckets_count_from")]

    operations = [migrations.RunSQL(DROP + EVENTS, BACK)]
