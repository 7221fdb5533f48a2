"""Since when somebody saves what stands on a Team's invoices."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_contacts_and_orders")]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="saving_since",
            field=models.DateTimeField(
                editable=False,
                help_text="Since when somebody saves what stands on its invoices.",
                null=True,
            ),
        ),
    ]
