"""Holds and events are partitioned by month, by the time in their ids, so that old months can be dropped. The ids that gateways
gave them have lean tables of their own, which outlive them.
"""

import datetime
import importlib
import uuid

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

FIRST_ID = """
-- No id that was made at the moment or later is smaller (`quota.ids.first_id_at`).
CREATE FUNCTION quota_first_id(p_moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM p_moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

-- An id of a day before this one.
CREATE FUNCTION quota_day_before(p_id uuid) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT (lpad(to_hex(greatest(0, ('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint - 86400000)), 12, '0')
        || '00000000000000000000')::uuid
$$;
"""

ADD_PARTITION = """
-- Makes a partition of the table for ids from p_from to before p_to. What a key of the whole table cannot say, since it would
-- have to contain the id, is unique in each partition.
CREATE FUNCTION quota_add_partition(p_table text, p_name text, p_from uuid, p_to uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING INDEXES)', p_name, p_table);
    PERFORM quota_fit_partition(p_table, p_name);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', p_table, p_name, p_from, p_to);
END $$;

-- Gives a table, which is or becomes a partition, what it does not get by being one.
CREATE FUNCTION quota_fit_partition(p_table text, p_name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_column text;
BEGIN
    FOREACH v_column IN ARRAY CASE p_table
        WHEN 'quota_reservation' THEN ARRAY['windows', 'tags', 'request_hash']
        ELSE ARRAY['usage', 'prices', 'tags', 'windows_before', 'windows_after', 'first_use_starts', 'usage_hash'] END
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER %I SET STATISTICS 0', p_name, v_column);
    END LOOP;
    IF p_table = 'quota_usageevent' THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (reservation_id, draw_id)', p_name || '_draws', p_name);
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (corrects_id, is_undo) WHERE corrects_id IS NOT NULL',
            p_name || '_corrections', p_name);
    END IF;
END $$;
"""

# What there was becomes the first partition, to the end of the next month. What lies behind the last one goes into
# the `_later` partition: no call waits for the job that makes them.
PARTITION = """
CREATE FUNCTION pg_temp.partition_calls(p_table text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_end timestamptz := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '2 months';
    v_first text := p_table || '_to_' || to_char(v_end AT TIME ZONE 'UTC', 'YYYY_MM');
    v_later text := p_table || '_later';
    v_index record;
    v_triggers text[];
    v_statement text;
BEGIN
    SELECT array_agg(pg_get_triggerdef(t.oid)) INTO v_triggers
        FROM pg_trigger t WHERE t.tgrelid = p_table::regclass AND NOT t.tgisinternal;
    CREATE TEMPORARY TABLE was ON COMMIT DROP AS SELECT i.indexname::text AS name, i.indexdef AS made
        FROM pg_indexes i WHERE i.schemaname = current_schema() AND i.tablename = p_table AND i.indexname <> p_table || '_pkey';
    EXECUTE format('ALTER TABLE %I RENAME TO %I', p_table, v_first);
    EXECUTE format('ALTER TABLE %I RENAME CONSTRAINT %I TO %I', v_first, p_table || '_pkey', v_first || '_pkey');
    FOR v_index IN SELECT * FROM was LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', v_index.name, v_index.name || '_to');
    END LOOP;
    FOREACH v_statement IN ARRAY coalesce(v_triggers, '{}') LOOP
        EXECUTE format('DROP TRIGGER %I ON %I', split_part(v_statement, ' ', 3), v_first);
    END LOOP;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (id)', p_table, v_first);
    EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (id)', p_table);
    FOR v_index IN SELECT * FROM was LOOP
        EXECUTE v_index.made;
    END LOOP;
    FOREACH v_statement IN ARRAY coalesce(v_triggers, '{}') LOOP
        EXECUTE v_statement;
    END LOOP;
    PERFORM quota_fit_partition(p_table, v_first);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)',
        p_table, v_first, quota_first_id(v_end));
    EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', v_later, p_table);
    PERFORM quota_fit_partition(p_table, v_later);
    DROP TABLE was;
END $$;
SELECT pg_temp.partition_calls('quota_reservation'), pg_temp.partition_calls('quota_usageevent');
"""

IDS = """
ALTER TABLE quota_requestid RENAME CONSTRAINT quota_requestid_pkey TO one_reservation_per_request_id;
ALTER TABLE quota_eventid RENAME CONSTRAINT quota_eventid_pkey TO one_event_per_id;
INSERT INTO quota_requestid (team_id, request_id, reservation_id) SELECT team_id, request_id, id FROM quota_reservation;
INSERT INTO quota_eventid (team_id, external_id, event_id)
    SELECT team_id, external_id, id FROM quota_usageevent WHERE external_id IS NOT NULL;
"""


def functions_anew():
    """The functions of the hot path as they are written now, for data that were made with earlier ones."""
    of_migrations = {
        "0003_states_of_calls": ("USABLE_CREDITS",),
        "0006_pay_as_you_go": ("CALL_STATE", "USABLE_BALANCE"),
        "0014_gathering": ("WRITES",),
        "0019_many_at_once": ("CALL_STATES", "CALLS", "HOLDS", "EVENTS", "CHARGES"),
        "0020_usage_around_a_moment": ("SEAT_USAGES",),
    }
    made = "".join(
        getattr(importlib.import_module(f"quota.migrations.{name}"), constant)
        for name, constants in of_migrations.items()
        for constant in constants
    )
    return made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


NO_ID = uuid.UUID(int=0)


def of_team():
    return models.ForeignKey(
        db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="teams.team"
    )


class Migration(migrations.Migration):
    dependencies = [("quota", "0021_own_settings"), ("teams", "0003_api_keys")]

    operations = [
        migrations.CreateModel(
            name="RequestId",
            fields=[
                ("pk", models.CompositePrimaryKey("team_id", "request_id", blank=True, editable=False, primary_key=True, serialize=False)),
                ("team", of_team()),
                ("request_id", models.CharField(max_length=128)),
                ("reservation_id", models.UUIDField()),
            ],
        ),
        migrations.CreateModel(
            name="EventId",
            fields=[
                ("pk", models.CompositePrimaryKey("team_id", "external_id", blank=True, editable=False, primary_key=True, serialize=False)),
                ("team", of_team()),
                ("external_id", models.CharField(max_length=128)),
                ("event_id", models.UUIDField()),
            ],
        ),
        migrations.CreateModel(
            name="KeptCalls",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("events_from", models.UUIDField(default=NO_ID)),
                ("holds_from", models.UUIDField(default=NO_ID)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="there_is_one_row_of_kept_calls"),
                    models.CheckConstraint(
                        condition=models.Q(("holds_from__lte", models.F("events_from"))),
                        name="a_hold_is_kept_longer_than_its_events",
                    ),
                ]
            },
        ),
        migrations.RemoveConstraint(model_name="reservation", name="one_reservation_per_request_id"),
        migrations.RemoveConstraint(model_name="usageevent", name="one_event_per_id"),
        migrations.RemoveConstraint(model_name="usageevent", name="a_draw_is_charged_once"),
        migrations.RemoveConstraint(model_name="usageevent", name="a_charge_is_corrected_once"),
        migrations.AlterField(
            model_name="creditledgerentry",
            name="event",
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="credit_entries", to="quota.usageevent", verbose_name='charge'),
        ),
        migrations.AlterField(
            model_name="owedusage",
            name="event",
            field=models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name="owed", serialize=False, to="quota.usageevent", verbose_name='charge'),
        ),
        migrations.AlterField(
            model_name="usageevent",
            name="corrects",
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text="A charge that was wrong: this one undoes it, or charges what is right.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="corrections", to="quota.usageevent", verbose_name='charge that it corrects'),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.CheckConstraint(
                condition=models.Q(("holds_until__lte", django.db.models.expressions.CombinedExpression(models.F("created_at"), "+", models.Value(datetime.timedelta(days=91))))),
                name="a_hold_is_kept_for_91_days_at_most",
            ),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("state", "held"), _negated=True), ("expired", False), _connector="OR"),
                name="an_open_hold_has_not_expired",
            ),
        ),
        migrations.RemoveIndex(model_name="reservation", name="holds_by_end"),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(condition=models.Q(("expired", False), ("state", "held")), fields=["holds_until"], name="holds_by_end"),
        ),
        migrations.RunSQL(FIRST_ID + ADD_PARTITION + PARTITION + IDS),
        migrations.RunSQL(functions_anew()),
    ]
