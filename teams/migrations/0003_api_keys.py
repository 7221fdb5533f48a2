"""API keys and their texts, and the Team's switch that lets members make them."""

import django.db.models.deletion
from django.db import migrations, models

# A row that names a Team and another row of that Team cannot name a row of another Team.
TWO_ROADS = """
ALTER TABLE teams_apikey ADD CONSTRAINT an_api_key_is_made_by_a_member_of_its_team
    FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id);
ALTER TABLE teams_apikeytext
    ADD CONSTRAINT a_text_is_of_its_api_keys_team
    FOREIGN KEY (team_id, api_key_id) REFERENCES teams_apikey (team_id, id),
    ADD CONSTRAINT a_text_of_an_api_key_is_made_by_a_member_of_its_team
    FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id),
    ADD CONSTRAINT text_of_api_key UNIQUE (api_key_id, id);
"""
ONE_ROAD = """
ALTER TABLE teams_apikeytext
    DROP CONSTRAINT text_of_api_key,
    DROP CONSTRAINT a_text_of_an_api_key_is_made_by_a_member_of_its_team,
    DROP CONSTRAINT a_text_is_of_its_api_keys_team;
ALTER TABLE teams_apikey DROP CONSTRAINT an_api_key_is_made_by_a_member_of_its_team;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('teams', '0002_rules'),
    ]

    operations = [
        migrations.AddField(
            model_name='team',
            name='members_make_api_keys',
            field=models.BooleanField(db_default=False, default=False, help_text="May members make API keys too, which spend the Team's API balance?", verbose_name='members make API keys'),
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('month_cap_nanousd', models.BigIntegerField(blank=True, help_text='Of a calendar month in UTC; empty: none.', null=True)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('membership', models.ForeignKey(help_text='Who made it.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.membership')),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='api_keys', to='teams.team')),
            ],
            options={
                'verbose_name': 'API key',
            },
        ),
        migrations.CreateModel(
            name='ApiKeyText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_id', models.CharField(max_length=12, unique=True, verbose_name='public id of the key')),
                ('salt', models.BinaryField(max_length=32)),
                ('root', models.CharField(help_text='Which root secret it was made under.', max_length=20, verbose_name='key root')),
                ('created_at', models.DateTimeField(verbose_name='created at')),
                ('replaced_at', models.DateTimeField(blank=True, null=True, verbose_name='replaced at')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='expires at')),
                ('revoked_at', models.DateTimeField(blank=True, null=True, verbose_name='revoked at')),
                ('last_used_at', models.DateTimeField(blank=True, null=True, verbose_name='last used at')),
                ('api_key', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='texts', to='teams.apikey')),
                ('membership', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='api_key_texts', to='teams.membership')),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.team', verbose_name='Team')),
            ],
            options={
                'verbose_name': 'text of an API key',
                'verbose_name_plural': 'texts of API keys',
            },
        ),
        migrations.AddIndex(
            model_name='apikey',
            index=models.Index(fields=['team', '-created_at', '-id'], name='api_keys_of_a_team'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.UniqueConstraint(fields=('team', 'id'), name='api_key_in_team'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('month_cap_nanousd', None), ('month_cap_nanousd__gte', 0), _connector='OR'), name='the_cap_of_an_api_key_is_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at', None), ('expires_at__gt', models.F('created_at')), _connector='OR'), name='an_api_key_expires_after_it_was_made'),
        ),
        migrations.AddIndex(
            model_name='apikeytext',
            index=models.Index(condition=models.Q(('revoked_at', None)), fields=['root'], name='api_key_texts_by_root'),
        ),
        migrations.AddConstraint(
            model_name='apikeytext',
            constraint=models.UniqueConstraint(condition=models.Q(('replaced_at', None)), fields=('api_key',), name='one_current_text_per_api_key'),
        ),
        migrations.AddConstraint(
            model_name='apikeytext',
            constraint=models.CheckConstraint(condition=models.Q(('replaced_at', None), ('expires_at__gte', models.F('replaced_at')), _connector='OR'), name='a_replaced_text_of_an_api_key_has_an_end'),
        ),
        migrations.RunSQL(TWO_ROADS, ONE_ROAD),
    ]
