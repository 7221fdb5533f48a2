"""The Billing right, which the Owner gives beside a role."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("teams", "0007_languages")]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="manages_billing",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Has the Billing right beside the role; the Owner manages billing without it.", verbose_name='Billing right',
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=Q(("manages_billing", False), models.Q(("role", "owner"), _negated=True), _connector="OR"),
                name="the_owner_manages_billing_by_role",
            ),
        ),
    ]
