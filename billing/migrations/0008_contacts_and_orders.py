"""Billing contacts; and under which Owner an auto top-up was ordered."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0007_invoices_by_number"),
        ("teams", "0008_billing_right"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BillingContact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("email", models.EmailField(max_length=254)),
                ("created_at", models.DateTimeField()),
                (
                    "team",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="billing_contacts",
                        to="teams.team",
                    ),
                ),
            ],
            options={
                "verbose_name": "billing contact",
                "constraints": [
                    models.UniqueConstraint(fields=("team", "email"), name="a_billing_contact_is_named_once")
                ],
            },
        ),
        migrations.AddField(
            model_name="autotopup",
            name="owner",
            field=models.ForeignKey(
                help_text="Who owned the Team then: it is off once another person does.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="autotopup",
            name="by",
            field=models.ForeignKey(
                help_text="Who saved it last: it is off once they do not manage billing. Empty: the system.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        # Until now the Owner alone could order.
        migrations.RunSQL("UPDATE billing_autotopup SET owner_id = by_id", "SELECT 1"),
    ]
