"""The language that a person reads, and that of a mail to an address without an account."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("teams", "0006_runs_of_jobs")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=Q(language__regex="^[a-z0-9-]*$"), name="a_language_has_a_code_or_is_not_chosen"
            ),
        ),
        migrations.AddField(
            model_name="mail",
            name="language",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Of whoever has no account, or has chosen none.",
                max_length=20, verbose_name='language',
            ),
        ),
    ]
