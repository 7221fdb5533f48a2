"""Lots and ledger entries are of an account: Credits, or the API balance, whose bought lots never expire."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# A ledger entry is of the account of its lot.
ONE_ACCOUNT = """
ALTER TABLE quota_creditledgerentry ADD CONSTRAINT a_ledger_entry_is_of_its_lots_account
    FOREIGN KEY (grant_id, account) REFERENCES quota_creditgrant (id, account);
"""
ANY_ACCOUNT = "ALTER TABLE quota_creditledgerentry DROP CONSTRAINT a_ledger_entry_is_of_its_lots_account;"


class Migration(migrations.Migration):

    dependencies = [
        ('quota', '0004_refused_calls'),
        ('teams', '0003_api_keys'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiKeyMonth',
            fields=[
                ('pk', models.CompositePrimaryKey('api_key_id', 'month', blank=True, editable=False, primary_key=True, serialize=False)),
                ('api_key', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='months', to='teams.apikey')),
                ('month', models.DateField(help_text='Its first day.')),
                ('used_nanousd', models.BigIntegerField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='creditledgerentry',
            name='a_ledger_entry_has_the_sign_of_its_kind',
        ),
        migrations.AddField(
            model_name='creditgrant',
            name='account',
            field=models.CharField(choices=[('credits', 'Credits'), ('balance', 'API balance')], db_default='credits', default='credits', max_length=7, verbose_name='account'),
        ),
        migrations.AddField(
            model_name='creditledgerentry',
            name='account',
            field=models.CharField(choices=[('credits', 'Credits'), ('balance', 'API balance')], db_default='credits', default='credits', max_length=7, verbose_name='account'),
        ),
        migrations.AddField(
            model_name='owedusage',
            name='account',
            field=models.CharField(choices=[('credits', 'Credits'), ('balance', 'API balance')], db_default='credits', default='credits', max_length=7, verbose_name='account'),
        ),
        migrations.AddField(
            model_name='teamcredits',
            name='low_api_balance_nanousd',
            field=models.BigIntegerField(db_default=1000000000, default=1000000000, help_text='Warn below this API balance.'),
        ),
        migrations.AddField(
            model_name='teamcredits',
            name='warns_of_balance',
            field=models.BooleanField(db_default=True, default=True, help_text='Warn of a low API balance?'),
        ),
        migrations.AlterField(
            model_name='creditgrant',
            name='expires_at',
            field=models.DateTimeField(blank=True, help_text='Empty: never.', null=True, verbose_name='expires at'),
        ),
        migrations.AlterField(
            model_name='creditledgerentry',
            name='kind',
            field=models.CharField(choices=[('purchase', 'Purchase'), ('voucher', 'Voucher'), ('use', 'Use'), ('expiry', 'Expiry'), ('refund', 'Refund'), ('adjustment', 'Adjustment')], max_length=10),
        ),
        migrations.AddConstraint(
            model_name='creditgrant',
            constraint=models.UniqueConstraint(fields=('id', 'account'), name='credit_grant_in_account'),
        ),
        migrations.AddConstraint(
            model_name='creditgrant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('account', 'credits'), ('expires_at__isnull', False)), ('account', 'balance'), _connector='OR'), name='every_lot_of_credits_expires'),
        ),
        migrations.AddConstraint(
            model_name='creditledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount_nanousd__gt', 0), ('kind__in', ['purchase', 'voucher'])), models.Q(('amount_nanousd__lt', 0), ('kind__in', ['use', 'expiry', 'refund'])), models.Q(('kind', 'adjustment'), models.Q(('amount_nanousd', 0), _negated=True)), _connector='OR'), name='a_ledger_entry_has_the_sign_of_its_kind'),
        ),
        migrations.AddConstraint(
            model_name='apikeymonth',
            constraint=models.CheckConstraint(condition=models.Q(('used_nanousd__gte', 0)), name='a_month_of_an_api_key_is_not_negative'),
        ),
        migrations.RunSQL(ONE_ACCOUNT, ANY_ACCOUNT),
    ]
