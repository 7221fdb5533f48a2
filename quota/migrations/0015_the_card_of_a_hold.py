"""A reservation keeps the rate card that it was estimated by."""

from django.db import migrations, models
from django.db.models.deletion import PROTECT


def card(**options: object) -> models.ForeignKey:
    return models.ForeignKey(
        "quota.ratecard",
        on_delete=PROTECT,
        db_index=False,
        related_name="+",
        help_text="What the call was estimated by, and will be charged by.",
        **options,
    )


# Checked at once, since a table whose checks still wait cannot be altered.
FILL = """
UPDATE quota_reservation r SET rate_card_id = (
    SELECT c.id FROM quota_ratecard c WHERE c.effective_from <= r.created_at ORDER BY c.effective_from DESC LIMIT 1
);
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0011_unpriced_usage")]

    operations = [
        migrations.AddField("reservation", "rate_card", card(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField("reservation", "rate_card", card()),
    ]
