"""Since when somebody saves what stands on a Team's invoices; and who planned what is planned."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0008_contacts_and_orders"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="saving_since",
            field=models.DateTimeField(
                editable=False,
                help_text="Since when somebody saves what stands on its invoices.",
                null=True,
                verbose_name="saving since",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="planned_by",
            field=models.ForeignKey(
                editable=False,
                help_text="Who planned something for the period's end last, or canceled.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="planned by",
            ),
        ),
    ]
