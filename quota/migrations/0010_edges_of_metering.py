"""A lot exists only in a Team that has a row of Credits: the row that every change of a lot locks."""

import django.db.models.deletion
from django.db import migrations, models

ROWS = """
INSERT INTO quota_teamcredits (team_id, overflow, low_balance_nanousd)
SELECT DISTINCT team_id, 'allow', 1000000000 FROM quota_creditgrant
ON CONFLICT DO NOTHING;
"""

LOCKABLE = """
ALTER TABLE quota_creditgrant ADD CONSTRAINT a_lot_is_of_a_team_with_a_row_of_credits
    FOREIGN KEY (team_id) REFERENCES quota_teamcredits (team_id);
"""


OWED = """
INSERT INTO quota_owedusage (event_id, team_id, membership_id, owed_nanousd, left_nanousd, waived_nanousd)
SELECT id, team_id, membership_id, overrun_nanousd, overrun_nanousd, 0 FROM quota_usageevent
WHERE seat_id IS NULL AND overrun_nanousd > 0;
ALTER TABLE quota_owedusage ADD CONSTRAINT owed_usage_is_of_its_members_team
    FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id);
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0003_hot_path")]

    operations = [
        migrations.RemoveConstraint(model_name="planlimit", name="a_limit_is_not_negative"),
        migrations.AddConstraint(
            model_name="planlimit",
            constraint=models.CheckConstraint(
                condition=models.Q(("limit_nanousd__gte", 0), ("limit_nanousd__lte", 10**15)),
                name="a_limit_is_from_nothing_to_a_million_dollars",
            ),
        ),
        migrations.AddField(
            model_name="usageevent",
            name="first_use_starts",
            field=models.JSONField(
                default=dict, help_text="When the first_use windows that it counts in began, by window rule."
            ),
        ),
        migrations.CreateModel(
            name="OwedUsage",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="owed",
                        serialize=False,
                        to="quota.usageevent",
                    ),
                ),
                ("owed_nanousd", models.BigIntegerField()),
                ("left_nanousd", models.BigIntegerField(help_text="Neither paid nor waived yet.")),
                ("waived_nanousd", models.BigIntegerField(default=0)),
                (
                    "membership",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="teams.membership"
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="teams.team"),
                ),
            ],
            options={
                "verbose_name_plural": "owed usage",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(owed_nanousd__gt=0, left_nanousd__gte=0, waived_nanousd__gte=0)
                        & models.Q(owed_nanousd__gte=models.F("left_nanousd") + models.F("waived_nanousd")),
                        name="owed_usage_is_paid_waived_or_left",
                    )
                ],
            },
        ),
        migrations.RunSQL(OWED, migrations.RunSQL.noop),
        migrations.RunSQL(ROWS, migrations.RunSQL.noop),
        migrations.RunSQL(
            LOCKABLE, "ALTER TABLE quota_creditgrant DROP CONSTRAINT a_lot_is_of_a_team_with_a_row_of_credits"
        ),
    ]
