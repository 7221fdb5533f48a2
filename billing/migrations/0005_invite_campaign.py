"""The invite campaign: links, who came by them, and vouchers for what they paid."""

import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models

# Django's own exclusion constraint wants an application installed that nothing else here needs.
ONE_AT_A_MOMENT = """
ALTER TABLE billing_invitecampaign ADD CONSTRAINT a_moment_has_at_most_one_invite_campaign
    EXCLUDE USING gist (tstzrange(starts_at, ends_at) WITH &&);
"""

KEPT = """
CREATE TRIGGER a_campaign_keeps_its_terms BEFORE UPDATE ON billing_invitecampaign
    FOR EACH ROW WHEN ((OLD.starts_at, OLD.off_hundredths, OLD.duration, OLD.voucher_hundredths, OLD.voucher_days)
        IS DISTINCT FROM (NEW.starts_at, NEW.off_hundredths, NEW.duration, NEW.voucher_hundredths, NEW.voucher_days)
        OR NEW.ends_at > OLD.ends_at OR (OLD.promotion_id IS NOT NULL AND NEW.promotion_id IS DISTINCT FROM OLD.promotion_id))
    EXECUTE FUNCTION quota_refuse_change('what a campaign gives stays as it was said');
CREATE TRIGGER who_came_by_a_link_stays_so BEFORE UPDATE OR DELETE ON billing_invitee
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('who came by a link came by it');
CREATE TRIGGER a_team_stays_who_was_invited BEFORE UPDATE OR DELETE ON billing_invitedteam
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('an invited Team stays one');
CREATE TRIGGER a_voucher_keeps_its_invoice BEFORE UPDATE ON billing_invitevoucher
    FOR EACH ROW WHEN ((OLD.invitee_id, OLD.lot_id, OLD.amount_nanousd) IS DISTINCT FROM (NEW.invitee_id, NEW.lot_id, NEW.amount_nanousd))
    EXECUTE FUNCTION quota_refuse_change('what was given stays as it was given');
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0004_api_balance'),
        ('quota', '0010_member_requests'),
        ('teams', '0003_api_keys'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='InviteCampaign',
            fields=[
                ('words', models.JSONField(blank=True, default=dict, help_text='Title and description for people, by language.')),
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('starts_at', models.DateTimeField(verbose_name='starts at')),
                ('ends_at', models.DateTimeField(verbose_name='ends at')),
                ('off_hundredths', models.PositiveIntegerField(help_text='Hundredths of a percent off, for who comes.')),
                ('duration', models.CharField(choices=[('once', 'The first invoice'), ('forever', 'Every invoice of the subscription')], max_length=7, verbose_name='duration')),
                ('voucher_hundredths', models.PositiveIntegerField(help_text='Hundredths of a percent of what was paid, for the inviter.')),
                ('voucher_days', models.PositiveSmallIntegerField(default=90, help_text='How long a voucher is good.', verbose_name='days a voucher is good')),
                ('created_at', models.DateTimeField(verbose_name='created at')),
            ],
            options={'verbose_name': 'invite campaign', 'verbose_name_plural': 'invite campaigns'},
        ),
        migrations.CreateModel(
            name='InvitedTeam',
            fields=[
                ('team', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='teams.team')),
                ('created_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Invitee',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='invitee', serialize=False, to=settings.AUTH_USER_MODEL, verbose_name='user who came')),
                ('came_at', models.DateTimeField(verbose_name='came at')),
            ],
            options={'verbose_name': 'invitee', 'verbose_name_plural': 'invitees'},
        ),
        migrations.CreateModel(
            name='InviteLink',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='invite_link', serialize=False, to=settings.AUTH_USER_MODEL, verbose_name='user')),
                ('code', models.CharField(max_length=20, unique=True, verbose_name='code of the link')),
                ('blocked_at', models.DateTimeField(blank=True, null=True, verbose_name='blocked at')),
                ('created_at', models.DateTimeField(verbose_name='created at')),
            ],
            options={'verbose_name': 'invite link', 'verbose_name_plural': 'invite links'},
        ),
        migrations.CreateModel(
            name='InviteVoucher',
            fields=[
                ('invoice', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='invite_voucher', serialize=False, to='billing.invoice', verbose_name='invoice')),
                ('amount_nanousd', models.BigIntegerField()),
                ('clawed_nanousd', models.BigIntegerField(default=0, help_text='The share of what was refunded. What was spent already stays spent.')),
                ('created_at', models.DateTimeField(verbose_name='created at')),
            ],
            options={'verbose_name': 'voucher for an invite', 'verbose_name_plural': 'vouchers for invites'},
        ),
        migrations.RemoveConstraint(
            model_name='promotion',
            name='a_promotion_is_for_something_known',
        ),
        migrations.AddField(
            model_name='payment',
            name='fingerprint',
            field=models.CharField(blank=True, db_default='', default='', help_text='Of the card or account that paid, the same for every customer.', max_length=100),
        ),
        migrations.AddField(
            model_name='invoice',
            name='tax_nanousd',
            field=models.BigIntegerField(db_default=0, default=0, help_text='Of the total; 0 where it was never asked for.'),
        ),
        migrations.AlterField(
            model_name='promotion',
            name='scope',
            field=models.CharField(blank=True, choices=[('', 'Nothing yet'), ('seats', "A Team's first seats"), ('credits', 'Credits'), ('balance', 'API balance'), ('invite', 'Who comes by an invite link')], default='', max_length=7, verbose_name='scope'),
        ),
        migrations.AddConstraint(
            model_name='promotion',
            constraint=models.CheckConstraint(condition=models.Q(('scope__in', ['', 'seats', 'credits', 'balance', 'invite'])), name='a_promotion_is_for_something_known'),
        ),
        migrations.AddField(
            model_name='invitecampaign',
            name='promotion',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='campaign', to='billing.promotion', verbose_name='promotion'),
        ),
        migrations.AddField(
            model_name='invitee',
            name='campaign',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='invitees', to='billing.invitecampaign'),
        ),
        migrations.AddField(
            model_name='invitee',
            name='inviter',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='invitees', to=settings.AUTH_USER_MODEL, verbose_name='inviter'),
        ),
        migrations.AddField(
            model_name='invitedteam',
            name='invitee',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='teams', to='billing.invitee'),
        ),
        migrations.AddField(
            model_name='invitevoucher',
            name='invitee',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='vouchers', to='billing.invitee', verbose_name='invitee'),
        ),
        migrations.AddField(
            model_name='invitevoucher',
            name='lot',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='invite_voucher', to='quota.creditgrant', verbose_name='lot'),
        ),
        migrations.AddConstraint(
            model_name='invitecampaign',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gte', models.F('starts_at'))), name='a_campaign_ends_after_it_began'),
        ),
        migrations.AddConstraint(
            model_name='invitecampaign',
            constraint=models.CheckConstraint(condition=models.Q(('off_hundredths__gt', 0), ('off_hundredths__lte', 10000), ('voucher_hundredths__gt', 0), ('voucher_hundredths__lte', 10000)), name='a_campaign_gives_each_side_a_share'),
        ),
        migrations.AddConstraint(
            model_name='invitecampaign',
            constraint=models.CheckConstraint(condition=models.Q(('duration__in', ['once', 'forever'])), name='a_campaign_is_for_one_invoice_or_all'),
        ),
        migrations.AddConstraint(
            model_name='invitecampaign',
            constraint=models.CheckConstraint(condition=models.Q(('voucher_days__gt', 0), ('voucher_days__lte', 3650)), name='a_voucher_of_a_campaign_is_good_for_days'),
        ),
        migrations.AddConstraint(
            model_name='invitee',
            constraint=models.CheckConstraint(condition=models.Q(('user', models.F('inviter')), _negated=True), name='nobody_invites_themselves'),
        ),
        migrations.AddConstraint(
            model_name='invitevoucher',
            constraint=models.CheckConstraint(condition=models.Q(('amount_nanousd__gt', 0), ('clawed_nanousd__gte', 0), ('clawed_nanousd__lte', models.F('amount_nanousd'))), name='no_more_of_a_voucher_is_taken_back_than_was_given'),
        ),
        migrations.RunSQL(ONE_AT_A_MOMENT, migrations.RunSQL.noop),
        migrations.RunSQL(KEPT, migrations.RunSQL.noop),
    ]
