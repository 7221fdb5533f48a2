"""A call stores less: a charge names its rate card, of which its prices follow, in place of the prices; hashes are shortened to
128 bits; and a hold that was settled keeps no windows, which are for a repeat of its authorize.
"""

import importlib
import uuid

import django.db.models.deletion
from django.db import migrations, models

# Of a hold that is no longer kept, the card that was in force at its call is as near as one can come.
CARD_OF_EACH_CHARGE = """
ALTER TABLE quota_usageevent ADD COLUMN rate_card_id bigint;
DROP TRIGGER usage_events_are_append_only ON quota_usageevent;
UPDATE quota_usageevent v SET rate_card_id = coalesce(
    (SELECT r.rate_card_id FROM quota_reservation r WHERE r.id = v.reservation_id),
    (SELECT c.id FROM quota_ratecard c WHERE c.effective_from <= v.occurred_at AND c.withdrawn_at IS NULL
        ORDER BY c.effective_from DESC LIMIT 1),
    (SELECT min(c.id) FROM quota_ratecard c)
);
CREATE TRIGGER usage_events_are_append_only BEFORE UPDATE OR DELETE ON quota_usageevent
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('usage events are append-only');
ALTER TABLE quota_usageevent ALTER COLUMN rate_card_id SET NOT NULL, DROP COLUMN prices;
"""

# The same bits that `quota.hot_path.hashes` keeps.
SHORT_HASHES = """
ALTER TABLE quota_usageevent ALTER COLUMN usage_hash TYPE uuid USING left(usage_hash, 32)::uuid;
ALTER TABLE quota_reservation ALTER COLUMN request_hash TYPE uuid USING left(request_hash, 32)::uuid;
"""

FITTED = """
CREATE OR REPLACE FUNCTION quota_fit_partition(p_table text, p_name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_column text;
BEGIN
    FOREACH v_column IN ARRAY CASE p_table
        WHEN 'quota_reservation' THEN ARRAY['windows', 'tags', 'request_hash']
        ELSE ARRAY['usage', 'tags', 'windows_before', 'windows_after', 'first_use_starts', 'usage_hash'] END
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER %I SET STATISTICS 0', p_name, v_column);
    END LOOP;
    IF p_table = 'quota_usageevent' THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (reservation_id, draw_id)', p_name || '_draws', p_name);
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (corrects_id, is_undo) WHERE corrects_id IS NOT NULL',
            p_name || '_corrections', p_name);
    END IF;
END $$;
DROP FUNCTION quota_gather_holds(uuid[], text[], text[], timestamptz);
DROP FUNCTION quota_gather_events(text[], timestamptz[], text[], timestamptz);
"""

# The functions as they were made last, and what is other in them. Of an event that is no longer kept the hash is all zeros.
CHANGED = {
    # Whoever owes nothing in the Team needs not be looked for under other memberships.
    "quota_call_states": {
        "        EXISTS (SELECT 1 FROM quota_owedusage o WHERE": "        CASE WHEN (SELECT true FROM quota_owedusage o\n"
        "            WHERE o.account = 'credits' AND o.left_nanousd > 0 AND o.team_id = f.team_id LIMIT 1)\n"
        "        THEN EXISTS (SELECT 1 FROM quota_owedusage o WHERE",
        "quota_memberships_of_one_person(f.membership_id)))),": "quota_memberships_of_one_person(f.membership_id)))) ELSE false END,",
    },
    "quota_gather_holds": {"drawn_hash text": "drawn_hash uuid", "v.usage_hash::text": "v.usage_hash"},
    "quota_gather_events": {
        "recorded_hash text": "recorded_hash uuid",
        "coalesce(v.usage_hash, '')::text": f"coalesce(v.usage_hash, '{uuid.UUID(int=0)}')",
    },
    "quota_write_charges": {
        "            closed_at = CASE": "            windows = CASE d.becomes WHEN '' THEN r.windows ELSE '{}' END,\n            closed_at = CASE"
    },
}


def functions_anew():
    made = importlib.import_module("quota.migrations.0019_many_at_once")
    text = "".join(text for text in vars(made).values() if isinstance(text, str))
    for function, changes in CHANGED.items():
        begin = text.index(f"CREATE FUNCTION {function}(")
        anew = text[begin : text.index("$$;", begin) + 3].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
        for was, becomes in changes.items():
            anew = anew[: anew.index(was)] + becomes + anew[anew.index(was) + len(was) :]
        yield anew


class Migration(migrations.Migration):
    dependencies = [("quota", "0030_one_index_by_seat")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CARD_OF_EACH_CHARGE + SHORT_HASHES)],
            state_operations=[
                migrations.RemoveField(model_name="usageevent", name="prices"),
                migrations.AddField(
                    model_name="usageevent",
                    name="rate_card",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="What it was charged by: its prices, as a receipt shows them, follow from that.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="quota.ratecard",
                        verbose_name="rate card",
                    ),
                    preserve_default=False,
                ),
                migrations.AlterField(
                    model_name="usageevent",
                    name="usage_hash",
                    field=models.UUIDField(help_text="Of what was reported; a repeat must say the same."),
                ),
                migrations.AlterField(
                    model_name="reservation",
                    name="request_hash",
                    field=models.UUIDField(help_text="Of what was asked; a repeat must ask the same.", verbose_name="hash of the request"),
                ),
            ],
        ),
        migrations.RunSQL(FITTED + "\n".join(functions_anew())),
    ]
