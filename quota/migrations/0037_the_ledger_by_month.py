"""The ledger is partitioned by month, too, by the moment of its entries; its rows stay where they are, in the first partition.
What the entries of a month came to is kept when it is dropped.

An entry's id does not carry its time, and people know it. So the primary key has the moment in it; ids are from one sequence.
"""

import uuid

import django.db.models.deletion
from django.db import migrations, models

PARTITIONS = """
-- The same of a table that is partitioned by a moment, of which all indexes are of the whole table.
CREATE FUNCTION quota_add_partition(p_table text, p_name text, p_from timestamptz, p_to timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING INDEXES)', p_name, p_table);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', p_table, p_name, p_from, p_to);
END $$;
"""

# Nothing makes its months then.
DROP = "DROP FUNCTION quota_add_partition(text, text, timestamptz, timestamptz);"

# As holds and events were (0022). The foreign keys of what there was become those of the whole.
LEDGER = """
CREATE FUNCTION pg_temp.partition_ledger() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table CONSTANT text := 'quota_creditledgerentry';
    v_end timestamptz := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '2 months';
    v_first text := v_table || '_to_' || to_char(v_end AT TIME ZONE 'UTC', 'YYYY_MM');
    v_last_id bigint;
    v_row record;
    v_later text[];
    v_statement text;
BEGIN
    -- What was deferred of the rows so far is checked now, or they could not be altered.
    SET CONSTRAINTS ALL IMMEDIATE;
    SELECT array_agg(pg_get_triggerdef(t.oid)) INTO v_later
        FROM pg_trigger t WHERE t.tgrelid = v_table::regclass AND NOT t.tgisinternal;
    SELECT v_later || array_agg(format('ALTER TABLE %I ADD CONSTRAINT %I %s', v_table, c.conname, pg_get_constraintdef(c.oid)))
        INTO v_later FROM pg_constraint c WHERE c.conrelid = v_table::regclass AND c.contype = 'f';
    CREATE TEMPORARY TABLE was ON COMMIT DROP AS SELECT i.indexname::text AS name, i.indexdef AS made
        FROM pg_indexes i WHERE i.schemaname = current_schema() AND i.tablename = v_table AND i.indexname <> v_table || '_pkey';
    -- Partitions have no identity of their own before PostgreSQL 17, and other ones since: all have one sequence.
    v_last_id := nextval(pg_get_serial_sequence(v_table, 'id'));
    ALTER TABLE quota_creditledgerentry ALTER id DROP IDENTITY;
    CREATE SEQUENCE quota_creditledgerentry_id_seq AS bigint;
    PERFORM setval('quota_creditledgerentry_id_seq', v_last_id);
    ALTER TABLE quota_creditledgerentry ALTER id SET DEFAULT nextval('quota_creditledgerentry_id_seq'),
        DROP CONSTRAINT quota_creditledgerentry_pkey;
    EXECUTE format('ALTER TABLE %I RENAME TO %I', v_table, v_first);
    EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (id, at)', v_first);
    FOR v_row IN SELECT * FROM was LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', v_row.name, v_row.name || '_to');
    END LOOP;
    FOR v_row IN SELECT t.tgname FROM pg_trigger t WHERE t.tgrelid = v_first::regclass AND NOT t.tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %I', v_row.tgname, v_first);
    END LOOP;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING INDEXES) PARTITION BY RANGE (at)', v_table, v_first);
    ALTER TABLE quota_creditledgerentry ADD PRIMARY KEY (id, at);
    ALTER SEQUENCE quota_creditledgerentry_id_seq OWNED BY quota_creditledgerentry.id;
    FOR v_row IN SELECT * FROM was LOOP
        EXECUTE v_row.made;
    END LOOP;
    FOREACH v_statement IN ARRAY v_later LOOP
        EXECUTE v_statement;
    END LOOP;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)', v_table, v_first, v_end);
    EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', v_table || '_later', v_table);
    DROP TABLE was;
END $$;
SELECT pg_temp.partition_ledger();
"""


CLOSING_BALANCES = """
ALTER TABLE quota_closingbalance
    ADD CONSTRAINT a_closing_balance_is_of_its_lots_team FOREIGN KEY (team_id, grant_id)
        REFERENCES quota_creditgrant (team_id, id),
    ADD CONSTRAINT a_closing_balance_is_of_its_lots_account FOREIGN KEY (grant_id, account)
        REFERENCES quota_creditgrant (id, account);
CREATE TRIGGER closing_balances_are_append_only BEFORE UPDATE OR DELETE ON quota_closingbalance
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('closing balances are append-only');
"""
KINDS = [
    *[("purchase", "Purchase"), ("voucher", "Voucher"), ("use", "Use"), ("expiry", "Expiry"), ("refund", "Refund")],
    *[("adjustment", "Adjustment"), ("correction", "Correction of a charge")],
]


def key_to(model, **options):
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=model, **options)


class Migration(migrations.Migration):
    dependencies = [("quota", "0036_the_clock_after_the_locks_of_reports"), ("teams", "0008_billing_right")]

    operations = [
        migrations.RunSQL(PARTITIONS + LEDGER),
        migrations.CreateModel(
            name="ClosingBalance",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        *("grant_id", "until", "kind", "cause"), blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("account", models.CharField(choices=[("credits", "Credits"), ("balance", "API balance")], max_length=7)),
                ("team", key_to("teams.team")),
                ("grant", key_to("quota.creditgrant", db_index=False)),
                ("until", models.DateTimeField()),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("cause", models.CharField(blank=True, max_length=200)),
                ("amount_nanousd", models.BigIntegerField()),
            ],
        ),
        migrations.AddField(
            model_name="keptcalls",
            name="ledger_from",
            field=models.UUIDField(default=uuid.UUID(int=0)),
        ),
        migrations.AddConstraint(
            model_name="keptcalls",
            constraint=models.CheckConstraint(
                condition=models.Q(("ledger_from__lte", models.F("events_from"))), name="an_entry_is_kept_longer_than_its_event"
            ),
        ),
        migrations.RunSQL(CLOSING_BALANCES),
    ]
