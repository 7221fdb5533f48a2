"""Members ask for Credits as for seats, and a granted request says what was given."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# A seat that was assigned with the answer is that request's. Where none was, nothing was granted: the audit log keeps
# what was said then. Triggers of foreign keys run at once, lest they wait where the table is changed next.
SEATS_OF_EARLIER_ANSWERS = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE quota_seatrequest r SET seat_id = h.seat_id, seat_plan_code = p.code
FROM teams_seatholding h
    JOIN quota_entitlement e ON e.seat_id = h.seat_id
    JOIN quota_plan p ON p.id = e.plan_id
WHERE r.granted AND h.membership_id = r.membership_id
    AND h.started_at <= r.closed_at AND (h.ended_at IS NULL OR h.ended_at > r.closed_at)
    AND e.starts_at <= r.closed_at AND (e.ends_at IS NULL OR e.ends_at > r.closed_at)
    AND (e.superseded_at IS NULL OR e.superseded_at > r.closed_at)
    AND (h.started_at = r.closed_at OR p.code = r.plan_code);
UPDATE quota_seatrequest SET granted = false WHERE granted AND seat_id IS NULL;
SET CONSTRAINTS ALL DEFERRED;
"""

OF_ONE_TEAM = """
ALTER TABLE quota_seatrequest ADD CONSTRAINT a_seat_request_gets_a_seat_of_its_team
    FOREIGN KEY (team_id, seat_id) REFERENCES teams_seat (team_id, id);
ALTER TABLE quota_creditrequest ADD CONSTRAINT a_credit_request_is_of_its_members_team
    FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id);
"""

ONE_ROAD = """
ALTER TABLE quota_seatrequest DROP CONSTRAINT a_seat_request_gets_a_seat_of_its_team;
ALTER TABLE quota_creditrequest DROP CONSTRAINT a_credit_request_is_of_its_members_team;
"""


class Migration(migrations.Migration):
    dependencies = [
        ('quota', '0008_quarantine'),
        ('teams', '0003_api_keys'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CreditRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message', models.CharField(blank=True, max_length=500, verbose_name='message')),
                ('created_at', models.DateTimeField(verbose_name='created at')),
                ('closed_at', models.DateTimeField(blank=True, null=True, verbose_name='closed at')),
                ('granted', models.BooleanField(null=True, verbose_name='granted')),
                ('wanted_nanousd', models.BigIntegerField(blank=True, help_text='A calendar month; empty: the member named no number.', null=True, verbose_name='monthly cap asked for, in nano-dollars')),
                ('overflow', models.CharField(blank=True, db_default='', default='', max_length=10, verbose_name='overflow')),
                ('month_cap_nanousd', models.BigIntegerField(blank=True, help_text='What was given; empty on a granted one: no cap.', null=True, verbose_name='monthly cap given, in nano-dollars')),
            ],
            options={'verbose_name': 'Credit request', 'verbose_name_plural': 'Credit requests'},
        ),
        migrations.AddField(
            model_name='seatrequest',
            name='seat',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.seat', verbose_name='seat'),
        ),
        migrations.AddField(
            model_name='seatrequest',
            name='seat_plan_code',
            field=models.SlugField(blank=True, db_default='', default='', max_length=30, verbose_name='plan of the seat given'),
        ),
        migrations.RunSQL(SEATS_OF_EARLIER_ANSWERS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='seatrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('closed_by', None), ('granted', None)), models.Q(('closed_at__isnull', False), ('closed_by__isnull', False), ('granted__isnull', False)), _connector='OR'), name='a_seat_request_is_answered_whole'),
        ),
        migrations.AddConstraint(
            model_name='seatrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('granted', True), ('granted__isnull', False), ('seat__isnull', False), models.Q(('seat_plan_code', ''), _negated=True)), models.Q(models.Q(('granted', None), ('granted', False), _connector='OR'), ('seat', None), ('seat_plan_code', '')), _connector='OR'), name='a_granted_seat_request_has_its_seat'),
        ),
        migrations.AddField(
            model_name='creditrequest',
            name='closed_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='closed by'),
        ),
        migrations.AddField(
            model_name='creditrequest',
            name='membership',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_requests', to='teams.membership', verbose_name='membership'),
        ),
        migrations.AddField(
            model_name='creditrequest',
            name='team',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_requests', to='teams.team', verbose_name='Team'),
        ),
        migrations.AddConstraint(
            model_name='creditrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('closed_at', None)), fields=('membership',), name='one_open_credit_request_per_member'),
        ),
        migrations.AddConstraint(
            model_name='creditrequest',
            constraint=models.CheckConstraint(condition=models.Q(('wanted_nanousd', None), ('wanted_nanousd__gt', 0), _connector='OR'), name='a_credit_request_wants_more_than_nothing'),
        ),
        migrations.AddConstraint(
            model_name='creditrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('closed_by', None), ('granted', None)), models.Q(('closed_at__isnull', False), ('closed_by__isnull', False), ('granted__isnull', False)), _connector='OR'), name='a_credit_request_is_answered_whole'),
        ),
        migrations.AddConstraint(
            model_name='creditrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('granted', True), ('granted__isnull', False), ('overflow__in', ['never', 'allow']), models.Q(('month_cap_nanousd', None), ('month_cap_nanousd__gt', 0), _connector='OR')), models.Q(models.Q(('granted', None), ('granted', False), _connector='OR'), ('month_cap_nanousd', None), ('overflow', '')), _connector='OR'), name='a_granted_credit_request_says_what_was_given'),
        ),
        migrations.RunSQL(OF_ONE_TEAM, ONE_ROAD),
    ]
