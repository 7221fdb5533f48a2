"""A lot exists only in a Team that has a row of Credits: the row that every change of a lot locks."""

from django.db import migrations

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
        migrations.RunSQL(ROWS, migrations.RunSQL.noop),
        migrations.RunSQL(
            LOCKABLE, "ALTER TABLE quota_creditgrant DROP CONSTRAINT a_lot_is_of_a_team_with_a_row_of_credits"
        ),
    ]
