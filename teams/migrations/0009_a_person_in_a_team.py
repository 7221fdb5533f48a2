"""A person's memberships in one Team are found by both, however many Teams the person has and members the Team."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("teams", "0008_billing_right")]

    operations = [
        migrations.AddIndex(
            model_name="membership",
            index=models.Index(models.F("user"), models.F("team") + 0, name="membership_of_person_in_team"),
        ),
        # The new one has the person first, too.
        migrations.AlterField(
            model_name="membership",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="memberships",
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
    ]
