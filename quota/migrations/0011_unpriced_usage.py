"""Usage of a meter without a price is recorded and marked."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("quota", "0003_hot_path")]

    operations = [
        migrations.AddField(
            "usageevent",
            "unpriced",
            models.BooleanField(
                default=False,
                help_text="Something was used of a meter without a price, and is not in the amount.",
            ),
        ),
        migrations.AddIndex(
            "usageevent",
            models.Index(fields=["recorded_at"], condition=Q(unpriced=True), name="unpriced_usage"),
        ),
    ]
