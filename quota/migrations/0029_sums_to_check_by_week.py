from django.db import migrations, models

# Django alters no composite primary key. What an open run has still to check stays.
BY_WEEK = """
ALTER TABLE quota_uncheckedsum ADD COLUMN week bigint;
UPDATE quota_uncheckedsum SET week = floor(extract(epoch FROM since) / 604800);
ALTER TABLE quota_uncheckedsum ALTER COLUMN week SET NOT NULL,
    DROP CONSTRAINT quota_uncheckedsum_pkey, ADD PRIMARY KEY (kind, of_id, week);
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0028_found_by_index")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(BY_WEEK)],
            state_operations=[
                migrations.DeleteModel("UncheckedSum"),
                migrations.CreateModel(
                    name="UncheckedSum",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "kind",
                                "of_id",
                                "week",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("seat", "Seat"),
                                    ("lot", "Lot"),
                                    ("member", "Member"),
                                    ("reports", "What is rolled up of a member"),
                                    ("api_key", "API key"),
                                ],
                                max_length=7,
                            ),
                        ),
                        (
                            "of_id",
                            models.BigIntegerField(help_text="The id of the seat, lot, member or API key."),
                        ),
                        (
                            "week",
                            models.BigIntegerField(
                                help_text="Weeks since 1970, each from Thursday to Wednesday in UTC."
                            ),
                        ),
                        (
                            "since",
                            models.DateTimeField(help_text="From when on the charges occurred."),
                        ),
                        ("until", models.DateTimeField(help_text="Until when they did.")),
                    ],
                ),
            ],
        )
    ]
