"""Reconcile reads charges once more when the windows that they count in have ended."""

import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('quota', '0042_leases_in_batches'),
    ]

    operations = [
        migrations.AddField(
            model_name='reconcilerun',
            name='windows_from',
            field=models.UUIDField(default=uuid.UUID('00000000-0000-0000-0000-000000000000'), verbose_name='charges of ended windows from'),
        ),
        migrations.AddField(
            model_name='reconcilerun',
            name='windows_next',
            field=models.UUIDField(default=uuid.UUID('00000000-0000-0000-0000-000000000000'), verbose_name='next charge of ended windows'),
        ),
        migrations.AddField(
            model_name='reconcilerun',
            name='windows_upto',
            field=models.UUIDField(default=uuid.UUID('00000000-0000-0000-0000-000000000000'), verbose_name='charges of ended windows up to'),
        ),
        # What was checked before stays checked as it was: the next night does not read all there is once more.
        migrations.RunSQL("UPDATE quota_reconcilerun SET windows_next = usage_next", migrations.RunSQL.noop),
    ]
