"""The time zone in which a person reads times."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("teams", "0003_api_keys")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="time_zone",
            field=models.CharField(db_default="UTC", default="UTC", max_length=64),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=Q(time_zone__regex="^[A-Za-z0-9_+/-]+$"),
                name="a_time_zone_has_a_name_as_of_the_iana_database",
            ),
        ),
    ]
