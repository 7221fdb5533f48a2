"""What a call writes is checked by the code that writes it and by `reconcile`, no longer by foreign keys: twenty checks a
call, each a look-up and a lock of a row that all calls share.

And the planner keeps no statistics of columns that no question is asked by: to analyze long JSON took a third of all that the
database did.
"""

import django.db.models.deletion
import quota.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('quota', '0012_raised_at'),
        ('teams', '0003_api_keys'),
    ]

    operations = [
        migrations.AlterField(
            model_name='reservation',
            name='api_key',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.apikey', verbose_name='API key'),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='api_text',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.apikeytext', verbose_name='text of the API key'),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='gateway',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quota.gateway', verbose_name='gateway'),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='key',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.subscriptionkey', verbose_name='Subscription Key'),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='membership',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.membership', verbose_name='membership'),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='plan',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quota.plan', verbose_name='plan'),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='rate_card',
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text='What the call was estimated by, and will be charged by.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quota.ratecard', verbose_name='rate card'),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='seat',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.seat', verbose_name='seat'),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='team',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.team', verbose_name='Team'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='api_key',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.apikey', verbose_name='API key'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='api_text',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.apikeytext'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='gateway',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quota.gateway', verbose_name='gateway'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='key',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.subscriptionkey', verbose_name='Subscription Key'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='membership',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.membership', verbose_name='membership'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='plan',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='quota.plan', verbose_name='plan'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='reservation',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='draws', to='quota.reservation', verbose_name='hold'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='seat',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.seat', verbose_name='seat'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='team',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.team', verbose_name='Team'),
        ),
        migrations.RunSQL(
            """
            ALTER TABLE quota_usageevent
                DROP CONSTRAINT a_usage_event_is_of_a_text_of_its_api_key,
                DROP CONSTRAINT a_usage_event_is_of_its_api_keys_team,
                DROP CONSTRAINT a_usage_event_is_of_its_members_team,
                DROP CONSTRAINT a_usage_event_is_of_its_seats_team,
                DROP CONSTRAINT a_usage_event_is_of_its_keys_member;
            ALTER TABLE quota_reservation
                DROP CONSTRAINT a_reservation_is_of_a_text_of_its_api_key,
                DROP CONSTRAINT a_reservation_is_of_its_api_keys_team,
                DROP CONSTRAINT a_reservation_is_of_its_members_team,
                DROP CONSTRAINT a_reservation_is_of_its_seats_team,
                DROP CONSTRAINT a_reservation_is_of_its_keys_member;
            """
        ),
        migrations.RunSQL(
            """
            ALTER TABLE quota_usageevent
                ALTER usage SET STATISTICS 0, ALTER prices SET STATISTICS 0, ALTER tags SET STATISTICS 0,
                ALTER windows_before SET STATISTICS 0, ALTER windows_after SET STATISTICS 0,
                ALTER first_use_starts SET STATISTICS 0, ALTER usage_hash SET STATISTICS 0;
            ALTER TABLE quota_reservation
                ALTER windows SET STATISTICS 0, ALTER tags SET STATISTICS 0, ALTER request_hash SET STATISTICS 0;
            """
        ),
        migrations.AlterField(
            model_name='reservation',
            name='id',
            field=models.UUIDField(default=quota.ids.new_id, editable=False, primary_key=True, serialize=False, verbose_name='id'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='id',
            field=models.UUIDField(default=quota.ids.new_id, editable=False, primary_key=True, serialize=False),
        ),
    ]
