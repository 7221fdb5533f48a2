"""How often Stripe said of an event that it does not know what it is about."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0009_who_saves_and_who_planned")]

    operations = [
        migrations.AddField(
            model_name="stripeevent",
            name="missing_answers",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                editable=False,
                help_text="How often Stripe said that it does not know what it is about.",
                verbose_name="answers that it is missing",
            ),
        ),
    ]
