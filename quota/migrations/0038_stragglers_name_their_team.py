"""A straggler names its Team, so that it stands with the event; and those that a run counts are marked first."""

import django.db.models.deletion
from django.db import migrations, models

NOTE = """
CREATE OR REPLACE FUNCTION quota_note_straggler() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quota_usagestraggler (event_id, team_id) VALUES (NEW.id, NEW.team_id);
    RETURN NULL;
END $$;
"""

NOTE_AS_BEFORE = """
CREATE OR REPLACE FUNCTION quota_note_straggler() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quota_usagestraggler (event_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
"""

# Events are never deleted alone, so each has its row.
TEAMS = """
UPDATE quota_usagestraggler s SET team_id = v.team_id FROM quota_usageevent v WHERE v.id = s.event_id;
ALTER TABLE quota_usagestraggler ALTER team_id SET NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0037_the_ledger_by_month"), ("teams", "0003_api_keys")]

    operations = [
        migrations.AddField(
            model_name="usagestraggler",
            name="taken",
            field=models.BooleanField(default=False, db_default=False),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE quota_usagestraggler ADD team_id bigint;" + TEAMS + NOTE,
                    NOTE_AS_BEFORE + "ALTER TABLE quota_usagestraggler DROP team_id;",
                )
            ],
            state_operations=[
                migrations.AddField(
                    model_name="usagestraggler",
                    name="team",
                    field=models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="teams.team",
                    ),
                    preserve_default=False,
                )
            ],
        ),
    ]
