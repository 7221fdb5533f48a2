"""A lot exists only in a Team that has a row of Credits: the row that every change of a lot locks."""

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
        migrations.RunSQL(ROWS, migrations.RunSQL.noop),
        migrations.RunSQL(
            LOCKABLE, "ALTER TABLE quota_creditgrant DROP CONSTRAINT a_lot_is_of_a_team_with_a_row_of_credits"
        ),
    ]
