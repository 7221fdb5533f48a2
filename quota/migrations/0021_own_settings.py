"""What members set for themselves: their own cap on Credits, and which notices they get."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Least

import quota.models.notice_settings


class Migration(migrations.Migration):
    dependencies = [
        ("quota", "0020_usage_around_a_moment"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # The database functions of the hot path go on reading `month_cap_nanousd`, which is the lower of both now.
        migrations.RemoveConstraint(model_name="creditaccess", name="a_month_cap_is_not_negative"),
        migrations.RenameField(
            model_name="creditaccess", old_name="month_cap_nanousd", new_name="granted_month_cap_nanousd"
        ),
        migrations.AddField(
            model_name="creditaccess",
            name="own_month_cap_nanousd",
            field=models.BigIntegerField(
                blank=True, help_text="The member's own, of a calendar month in UTC; empty: none.", null=True, verbose_name='the member’s own cap, in nano-dollars'
            ),
        ),
        migrations.AddField(
            model_name="creditaccess",
            name="month_cap_nanousd",
            field=models.GeneratedField(
                db_persist=True,
                expression=Least("granted_month_cap_nanousd", "own_month_cap_nanousd"),
                output_field=models.BigIntegerField(null=True),
            ),
        ),
        migrations.AddConstraint(
            model_name="creditaccess",
            constraint=models.CheckConstraint(
                condition=Q(granted_month_cap_nanousd=None) | Q(granted_month_cap_nanousd__gte=0),
                name="a_month_cap_is_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditaccess",
            constraint=models.CheckConstraint(
                condition=Q(own_month_cap_nanousd=None) | Q(own_month_cap_nanousd__gte=0),
                name="an_own_month_cap_is_not_negative",
            ),
        ),
        migrations.CreateModel(
            name="NoticeSettings",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="notice_settings",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "thresholds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        default=quota.models.notice_settings.default_thresholds,
                        help_text="Percent of a window; none: no mails about windows.",
                        size=None,
                    ),
                ),
                ("credits_low", models.BooleanField(db_default=True, default=True)),
                ("balance_low", models.BooleanField(db_default=True, default=True)),
            ],
            options={
                "verbose_name_plural": "notice settings",
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(thresholds__contained_by=[50, 80, 95, 100]),
                        name="notices_are_sent_at_50_80_95_or_100_percent",
                    )
                ],
            },
        ),
    ]
