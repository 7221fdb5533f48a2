"""Buckets and months name their Team, as all that calls write does. And one call is written by database functions, as many
are, whose statements each name its Team: so Teams can be shared out over servers.
"""

import importlib

import django.db.models.deletion
from django.db import migrations, models

TABLES = """
ALTER TABLE quota_usagebucket ADD COLUMN team_id bigint;
UPDATE quota_usagebucket b SET team_id = s.team_id FROM teams_seat s WHERE s.id = b.seat_id;
ALTER TABLE quota_usagebucket ALTER team_id SET NOT NULL, DROP CONSTRAINT quota_usagebucket_pkey,
    ADD CONSTRAINT quota_usagebucket_pkey PRIMARY KEY (seat_id, rule, starts_at, team_id);
ALTER TABLE quota_creditmonth ADD COLUMN team_id bigint;
UPDATE quota_creditmonth c SET team_id = m.team_id FROM teams_membership m WHERE m.id = c.membership_id;
ALTER TABLE quota_creditmonth ALTER team_id SET NOT NULL, DROP CONSTRAINT quota_creditmonth_pkey,
    ADD CONSTRAINT quota_creditmonth_pkey PRIMARY KEY (membership_id, month, team_id);
ALTER TABLE quota_apikeymonth ADD COLUMN team_id bigint;
UPDATE quota_apikeymonth c SET team_id = a.team_id FROM teams_apikey a WHERE a.id = c.api_key_id;
ALTER TABLE quota_apikeymonth ALTER team_id SET NOT NULL, DROP CONSTRAINT quota_apikeymonth_pkey,
    ADD CONSTRAINT quota_apikeymonth_pkey PRIMARY KEY (api_key_id, month, team_id);
"""

WRITES = """
DROP FUNCTION quota_write_charges(
    json, timestamptz, uuid[], bigint[], bigint[], text[], bigint[], text[], timestamptz[], bigint[]
);
DROP FUNCTION IF EXISTS quota_write_charges(
    json, timestamptz, uuid[], bigint[], bigint[], bigint[], text[], timestamptz[], bigint[]
);
-- Writes the events, which are rows of the table as JSON; adds to the buckets of their seats; and takes from their holds
-- (p_ids) so much each, which become p_becomes, or stay as they are where that is empty.
CREATE FUNCTION quota_write_charges(
    p_rows json, p_at timestamptz, p_ids uuid[], p_drawn_quota bigint[], p_drawn_credits bigint[], p_becomes text[],
    p_team_ids bigint[], p_seat_ids bigint[], p_rules text[], p_starts timestamptz[], p_used bigint[]
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
            windows = CASE d.becomes WHEN '' THEN r.windows ELSE '{}' END,
            closed_at = CASE d.becomes WHEN '' THEN r.closed_at ELSE p_at END
        FROM unnest(p_ids, p_drawn_quota, p_drawn_credits, p_becomes) AS d (id, drawn_quota, drawn_credits, becomes)
        WHERE r.id = d.id AND r.id BETWEEN v_first AND v_last;
    INSERT INTO quota_usagebucket AS b (team_id, seat_id, rule, starts_at, used_nanousd)
        SELECT * FROM unnest(p_team_ids, p_seat_ids, p_rules, p_starts, p_used)
        ON CONFLICT (seat_id, rule, starts_at, team_id) DO UPDATE SET used_nanousd = b.used_nanousd + EXCLUDED.used_nanousd;
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

-- Writes a hold, which is a row of the table as JSON, and notes that its key was used, where the last use is of before
-- p_last_used_before. False, and no hold, where the Team has used the request id, or where less than p_needed may be used of
-- Credits, or of the API balance. Only where some of it is needed is anything of the Team locked, with p_lock: so no two holds
-- take the same.
CREATE FUNCTION quota_write_hold(p_row json, p_needed bigint, p_last_used_before timestamptz, p_lock boolean)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_hold quota_reservation := json_populate_record(NULL::quota_reservation, p_row);
    v_at timestamptz := v_hold.created_at;
BEGIN
    IF v_hold.api_key_id IS NULL THEN
        UPDATE teams_subscriptionkey k SET last_used_at = v_at
            WHERE k.id = v_hold.key_id AND (k.last_used_at IS NULL OR k.last_used_at < p_last_used_before);
    ELSE
        UPDATE teams_apikeytext x SET last_used_at = v_at
            WHERE x.id = v_hold.api_text_id AND (x.last_used_at IS NULL OR x.last_used_at < p_last_used_before);
    END IF;
    IF p_needed > 0 THEN
        IF p_needed > (CASE WHEN v_hold.api_key_id IS NULL
            THEN quota_usable_credits(
                v_hold.team_id, v_hold.membership_id, v_hold.seat_id IS NOT NULL, v_at, v_at, v_at, NULL, p_lock)
            ELSE quota_usable_balance(v_hold.team_id, v_hold.api_key_id, true, v_at, v_at, v_at, NULL, p_lock) END)
        THEN
            RETURN false;
        END IF;
    END IF;
    INSERT INTO quota_requestid (team_id, request_id, reservation_id)
        VALUES (v_hold.team_id, v_hold.request_id, v_hold.id) ON CONFLICT (team_id, request_id) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO quota_reservation VALUES (v_hold.*);
    RETURN true;
END $$;

-- Writes an event, which is a row of the table as JSON; adds it to the buckets of its seat; and takes from its hold so much,
-- which becomes p_becomes, or stays as it is where that is empty.
CREATE FUNCTION quota_write_charge(
    p_row json, p_drawn_quota bigint, p_drawn_credits bigint, p_drawn_balance bigint, p_becomes text,
    p_rules text[], p_starts timestamptz[]
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_event quota_usageevent := json_populate_record(NULL::quota_usageevent, p_row);
    v_closes boolean := p_becomes <> '';
BEGIN
    IF v_event.reservation_id IS NOT NULL THEN
        UPDATE quota_reservation r SET
                left_quota_nanousd = r.left_quota_nanousd - p_drawn_quota,
                left_credits_nanousd = r.left_credits_nanousd - p_drawn_credits,
                left_balance_nanousd = r.left_balance_nanousd - p_drawn_balance,
                state = CASE WHEN v_closes THEN p_becomes ELSE r.state END,
                windows = CASE WHEN v_closes THEN '{}' ELSE r.windows END,
                closed_at = CASE WHEN v_closes THEN v_event.recorded_at ELSE r.closed_at END,
                expired = r.expired AND NOT v_closes
            WHERE r.id = v_event.reservation_id AND r.team_id = v_event.team_id;
    END IF;
    FOR v_number IN 1 .. cardinality(p_rules) LOOP
        INSERT INTO quota_usagebucket AS b (team_id, seat_id, rule, starts_at, used_nanousd)
            VALUES (v_event.team_id, v_event.seat_id, p_rules[v_number], p_starts[v_number],
                v_event.from_quota_nanousd + v_event.overrun_nanousd)
            ON CONFLICT (seat_id, rule, starts_at, team_id) DO UPDATE SET used_nanousd = b.used_nanousd + EXCLUDED.used_nanousd;
    END LOOP;
    IF v_event.external_id IS NOT NULL THEN
        INSERT INTO quota_eventid (team_id, external_id, event_id)
            VALUES (v_event.team_id, v_event.external_id, v_event.id);
    END IF;
    INSERT INTO quota_usageevent VALUES (v_event.*);
END $$;
"""

ONE_BY_ONE = """
-- What `quota_seat_usages` answers, by statements of which each is about the seat of one Team: for servers that share out the
-- Teams (`manage.py distribute`).
CREATE FUNCTION quota_seat_usages_one_by_one(
    p_seat_ids bigint[], p_since timestamptz[], p_until timestamptz[], p_at timestamptz
) RETURNS TABLE (seat_id bigint, usage quota_seat_usage_row) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    v_oldest uuid := quota_first_id(least(p_at, clock_timestamp()) - interval '92 days');
    v_newest uuid := quota_first_id(greatest(p_at, clock_timestamp()) + interval '1 day');
    v_seat_id bigint; v_team_id bigint; v_rules text[]; v_since timestamptz; v_until timestamptz; v_usage quota_seat_usage_row;
BEGIN
    FOR v_number IN 1 .. coalesce(cardinality(p_seat_ids), 0) LOOP
        v_seat_id := p_seat_ids[v_number]; v_since := p_since[v_number]; v_until := p_until[v_number];
        v_team_id := (SELECT s.team_id FROM teams_seat s WHERE s.id = v_seat_id);
        v_rules := (SELECT array_agg(DISTINCT l.rule_key::text)
            FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id WHERE e.seat_id = v_seat_id);
        v_usage := NULL;
        v_usage.rules := v_rules;
        SELECT array_agg(u.rule::text), array_agg(u.starts_at), array_agg(u.used_nanousd)
            INTO v_usage.bucket_rules, v_usage.bucket_starts, v_usage.bucket_used
            FROM quota_usagebucket u JOIN (
                SELECT r.rule_key, make_interval(secs => split_part(split_part(r.rule_key, '/', 2), '@', 1)::integer) AS length,
                    CASE WHEN r.rule_key LIKE 'first_use/%' THEN 3 ELSE 1 END AS windows
                FROM unnest(v_rules) AS r (rule_key)
            ) rule ON u.rule = rule.rule_key
            WHERE u.team_id = v_team_id AND u.seat_id = v_seat_id
                AND u.starts_at > v_since - rule.length * rule.windows AND u.starts_at <= v_until + rule.length;
        SELECT array_agg(r.id),
                array_agg(CASE WHEN r.model = '' AND r.charges_at <= p_at THEN r.expires_at ELSE r.created_at END),
                array_agg(r.left_quota_nanousd), array_agg(r.agent::text), array_agg(r.holds_until),
                array_agg(r.model = '' AND coalesce(r.charges_at > p_at, true)),
                array_agg(coalesce(r.charges_at, r.holds_until))
            INTO v_usage.hold_ids, v_usage.hold_starts, v_usage.hold_nanousd, v_usage.hold_agents, v_usage.hold_ends,
                v_usage.hold_leases, v_usage.hold_agents_until
            FROM quota_reservation r
            WHERE r.team_id = v_team_id AND r.seat_id = v_seat_id AND r.state = 'held' AND r.holds_until > p_at
                AND r.id >= v_oldest AND r.id < v_newest;
        seat_id := v_seat_id; usage := v_usage;
        RETURN NEXT;
    END LOOP;
END $$;
"""

TABLES_BACK = """
ALTER TABLE quota_usagebucket DROP COLUMN team_id,
    ADD CONSTRAINT quota_usagebucket_pkey PRIMARY KEY (seat_id, rule, starts_at);
ALTER TABLE quota_creditmonth DROP COLUMN team_id,
    ADD CONSTRAINT quota_creditmonth_pkey PRIMARY KEY (membership_id, month);
ALTER TABLE quota_apikeymonth DROP COLUMN team_id,
    ADD CONSTRAINT quota_apikeymonth_pkey PRIMARY KEY (api_key_id, month);
"""

DROP = """
DROP FUNCTION quota_seat_usages_one_by_one(bigint[], timestamptz[], timestamptz[], timestamptz);
DROP FUNCTION quota_write_charge(json, bigint, bigint, bigint, text, text[], timestamptz[]);
DROP FUNCTION quota_write_hold(json, bigint, timestamptz, boolean);
DROP FUNCTION quota_write_charges(
    json, timestamptz, uuid[], bigint[], bigint[], text[], bigint[], bigint[], text[], timestamptz[], bigint[]
);
"""
BEFORE = next(
    text for text in importlib.import_module("quota.migrations.0031_fewer_bytes_a_call").functions_anew() if "quota_write_charges(" in text
)


def of_team():
    return models.ForeignKey(
        db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="teams.team"
    )


def key_of(model_name, *columns):
    """The primary key with the Team in it, which `TABLES` has made."""
    key = models.CompositePrimaryKey(*columns, "team_id", blank=True, editable=False, primary_key=True, serialize=False)
    return [
        migrations.AddField(model_name=model_name, name="team", field=of_team(), preserve_default=False),
        migrations.AlterField(model_name=model_name, name="pk", field=key),
    ]


class Migration(migrations.Migration):
    dependencies = [("quota", "0031_fewer_bytes_a_call")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(TABLES, TABLES_BACK)],
            state_operations=[
                *key_of("usagebucket", "seat_id", "rule", "starts_at"),
                *key_of("creditmonth", "membership_id", "month"),
                *key_of("apikeymonth", "api_key_id", "month"),
            ],
        ),
        migrations.RunSQL(WRITES + ONE_BY_ONE, DROP + BEFORE),
    ]
