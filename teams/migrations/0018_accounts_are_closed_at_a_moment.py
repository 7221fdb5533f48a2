"""Whether an account is closed gets the moment, so that usage from before it still counts."""

from django.db import migrations, models
from django.db.models import Q

# The moment was not kept. The latest one that is known is when the account was changed; else it is now.
CLOSED_WHEN = """
UPDATE teams_user u SET deactivated_at = coalesce(
    (SELECT max(a.at) FROM teams_auditentry a WHERE a.action = 'account.changed' AND a.subject = u.email), now())
WHERE NOT u.is_active;
"""


class Migration(migrations.Migration):
    dependencies = [("teams", "0002_rules_in_the_database")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="deactivated_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Usage from before this moment still counts.",
                null=True,
                verbose_name="closed at",
            ),
        ),
        migrations.RunSQL(CLOSED_WHEN, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=Q(is_active=True, deactivated_at=None)
                | Q(is_active=False, deactivated_at__isnull=False),
                name="an_account_is_closed_at_a_moment",
            ),
        ),
    ]
