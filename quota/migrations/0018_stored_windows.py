"""Windows are kept as five whole numbers each (quota/stored_windows.py), no longer as the JSON that is answered: that was
more than a third of what a call stored.
"""

import django.contrib.postgres.fields
from django.db import migrations, models

# What is kept of windows as they were answered: used, held, when it resets, the next release and its amount.
CONVERT = """
CREATE FUNCTION pg_temp.numbers_of(p_windows jsonb) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(array_agg(kept.number ORDER BY shown.place, kept.place), '{}')
    FROM jsonb_array_elements(p_windows) WITH ORDINALITY AS shown (w, place) CROSS JOIN LATERAL (VALUES
        (1, (shown.w->>'used_nanousd')::bigint),
        (2, (shown.w->>'held_nanousd')::bigint),
        (3, (extract(epoch FROM (shown.w->>'resets_at')::timestamptz) * 1000000)::bigint),
        (4, (extract(epoch FROM (shown.w->'next_release'->>'at')::timestamptz) * 1000000)::bigint),
        (5, (shown.w->'next_release'->>'nanousd')::bigint)
    ) AS kept (place, number)
$$;
ALTER TABLE quota_reservation ALTER COLUMN windows TYPE bigint[] USING pg_temp.numbers_of(windows);
ALTER TABLE quota_usageevent ALTER COLUMN windows_before TYPE bigint[] USING pg_temp.numbers_of(windows_before),
    ALTER COLUMN windows_after TYPE bigint[] USING pg_temp.numbers_of(windows_after);
ALTER TABLE quota_reservation ALTER COLUMN windows SET STATISTICS 0;
ALTER TABLE quota_usageevent ALTER COLUMN windows_before SET STATISTICS 0, ALTER COLUMN windows_after SET STATISTICS 0;
"""


def kept(**said):
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.BigIntegerField(null=True), default=list, size=None, **said
    )


class Migration(migrations.Migration):

    dependencies = [
        ('quota', '0017_rollups'),
    ]

    operations = [
        migrations.RunSQL(
            CONVERT,
            # Back would need the limits of each plan: a data folder goes forward alone.
            migrations.RunSQL.noop,
            state_operations=[
                migrations.AlterField(model_name='reservation', name='windows', field=kept(verbose_name='windows')),
                migrations.AlterField(model_name='usageevent', name='windows_before', field=kept()),
                migrations.AlterField(model_name='usageevent', name='windows_after', field=kept()),
            ],
        ),
    ]
