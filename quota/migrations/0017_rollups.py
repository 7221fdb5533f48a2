"""Usage added up by hour and day, for reports, and what the database notes so that no event is missed there."""

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models


# Events are rolled up in the order of their ids, which servers make by their own clocks. One that is written with an id of
# more than 5 seconds before might be behind the watermark already: it is noted. The services stay 10 seconds behind, so a
# step back of the database's own clock by up to 5 seconds does no harm.
STRAGGLERS = """
CREATE FUNCTION quota_note_straggler() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quota_usagestraggler (event_id) VALUES (NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER usage_with_an_older_id_is_noted AFTER INSERT ON quota_usageevent FOR EACH ROW
    WHEN (NEW.id < (lpad(to_hex(
        floor(extract(epoch FROM clock_timestamp() - interval '5 seconds') * 1000)::bigint
    ), 12, '0') || '00000000000000000000')::uuid)
    EXECUTE FUNCTION quota_note_straggler();
"""

DROP = """
DROP TRIGGER usage_with_an_older_id_is_noted ON quota_usageevent;
DROP FUNCTION quota_note_straggler();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('quota', '0016_progress_of_jobs'),
        ('teams', '0003_api_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageStraggler',
            fields=[
                ('event', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='quota.usageevent')),
            ],
        ),
        migrations.CreateModel(
            name='UsageWatermark',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('rolled_up_to', models.UUIDField()),
                ('next_id', models.UUIDField(null=True)),
                ('next_transaction', models.BigIntegerField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='there_is_one_watermark_of_usage'), models.CheckConstraint(condition=models.Q(models.Q(('next_id', None), ('next_transaction', None)), models.Q(('next_id__gte', models.F('rolled_up_to')), ('next_id__isnull', False), ('next_transaction__isnull', False)), _connector='OR'), name='the_watermark_of_usage_rises')],
            },
        ),
        migrations.CreateModel(
            name='TagRollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('width_hours', models.SmallIntegerField()),
                ('starts_at', models.DateTimeField()),
                ('model', models.CharField(max_length=100)),
                ('modality', models.CharField(max_length=20)),
                ('calls', models.BigIntegerField()),
                ('amount_nanousd', models.BigIntegerField()),
                ('from_quota_nanousd', models.BigIntegerField()),
                ('from_credits_nanousd', models.BigIntegerField()),
                ('from_balance_nanousd', models.BigIntegerField()),
                ('overrun_nanousd', models.BigIntegerField()),
                ('tag', models.TextField()),
                ('api_key', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.apikey')),
                ('membership', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.membership')),
                ('team', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.team')),
            ],
            options={
                'indexes': [models.Index(fields=['membership', 'width_hours', 'starts_at'], name='tag_rollups_of_a_member'), models.Index(condition=models.Q(('api_key__isnull', False)), fields=['api_key', 'width_hours', 'starts_at'], name='tag_rollups_of_an_api_key')],
                'constraints': [models.CheckConstraint(condition=models.Q(('width_hours__in', [1, 24])), name='a_tag_rollup_is_of_an_hour_or_a_day'), models.CheckConstraint(condition=models.Q(('amount_nanousd', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('from_quota_nanousd'), '+', models.F('from_credits_nanousd')), '+', models.F('from_balance_nanousd')), '+', models.F('overrun_nanousd')))), name='a_tag_rollup_is_the_sum_of_its_parts'), models.UniqueConstraint(fields=('team', 'width_hours', 'starts_at', 'membership', 'api_key', 'model', 'modality', 'tag'), name='usage_is_rolled_up_once_by_tag', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='UsageRollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('width_hours', models.SmallIntegerField()),
                ('starts_at', models.DateTimeField()),
                ('model', models.CharField(max_length=100)),
                ('modality', models.CharField(max_length=20)),
                ('calls', models.BigIntegerField()),
                ('amount_nanousd', models.BigIntegerField()),
                ('from_quota_nanousd', models.BigIntegerField()),
                ('from_credits_nanousd', models.BigIntegerField()),
                ('from_balance_nanousd', models.BigIntegerField()),
                ('overrun_nanousd', models.BigIntegerField()),
                ('tagged', models.BooleanField()),
                ('api_key', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.apikey')),
                ('membership', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.membership')),
                ('team', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.team')),
            ],
            options={
                'indexes': [models.Index(fields=['membership', 'width_hours', 'starts_at'], name='rollups_of_a_member'), models.Index(condition=models.Q(('api_key__isnull', False)), fields=['api_key', 'width_hours', 'starts_at'], name='rollups_of_an_api_key')],
                'constraints': [models.CheckConstraint(condition=models.Q(('width_hours__in', [1, 24])), name='a_rollup_is_of_an_hour_or_a_day'), models.CheckConstraint(condition=models.Q(('amount_nanousd', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('from_quota_nanousd'), '+', models.F('from_credits_nanousd')), '+', models.F('from_balance_nanousd')), '+', models.F('overrun_nanousd')))), name='a_rollup_is_the_sum_of_its_parts'), models.UniqueConstraint(fields=('team', 'width_hours', 'starts_at', 'membership', 'api_key', 'model', 'modality', 'tagged'), name='usage_is_rolled_up_once', nulls_distinct=False)],
            },
        ),
        migrations.RunSQL(STRAGGLERS, DROP),
    ]
