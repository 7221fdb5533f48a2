"""Calls with API keys: held in the API balance, and charged to it."""

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

TEXT_WORKS = """
-- Whether a text of an API key may be used now, by the rows as they stand; the caller's clock decides about nothing but
-- the end of an overlap, and of the key.
CREATE FUNCTION quota_api_text_works(p_api_text_id bigint, p_at timestamptz) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT x.revoked_at IS NULL AND a.revoked_at IS NULL AND m.ended_at IS NULL AND u.deactivated_at IS NULL
        AND (x.expires_at IS NULL OR x.expires_at > greatest(p_at, x.replaced_at))
        AND (a.expires_at IS NULL OR a.expires_at > p_at)
    FROM teams_apikeytext x
        CROSS JOIN LATERAL (SELECT * FROM teams_apikey a WHERE a.id = x.api_key_id OFFSET 0) a
        CROSS JOIN LATERAL (SELECT * FROM teams_membership m WHERE m.id = x.membership_id OFFSET 0) m
        CROSS JOIN LATERAL (SELECT * FROM teams_user u WHERE u.id = m.user_id OFFSET 0) u
    WHERE x.id = p_api_text_id
$$;
"""

CALL_STATE = """
-- What `quota_call_state` says of a Subscription Key, of an API key: key_id is its text's. It has no seat and no plan.
CREATE FUNCTION quota_api_call_state(
    p_key_public_id text, p_request_id text, p_occurred_at timestamptz, p_at timestamptz, p_lock boolean
) RETURNS TABLE (
    key_id bigint, key_salt bytea, key_root text, key_works boolean,
    membership_id bigint, team_id bigint, team_slug text, owes boolean, rate_card_id bigint, prior_reservation_id uuid,
    seat_id bigint, plan_id bigint, api_key_id bigint, usage quota_seat_usage_row
) LANGUAGE plpgsql VOLATILE SET lock_timeout = '3s' AS $$
#variable_conflict use_variable
-- A bare name is a column of the answer; columns of tables are written with the table's letter.
BEGIN
    IF p_lock THEN
        PERFORM quota_limit_transaction();
        PERFORM 1 FROM teams_apikeytext x WHERE x.key_id = p_key_public_id FOR NO KEY UPDATE;
    END IF;
    -- After a call (there is no p_request_id) its moment decides; it may lie 5 s before the text was made.
    SELECT x.id, x.salt, x.root, x.membership_id, x.team_id, t.slug, x.api_key_id,
            CASE WHEN p_request_id IS NOT NULL THEN quota_api_text_works(x.id, p_occurred_at)
            ELSE
                x.created_at <= p_occurred_at + interval '5 seconds'
                AND (x.revoked_at IS NULL OR x.revoked_at > p_occurred_at)
                AND (a.revoked_at IS NULL OR a.revoked_at > p_occurred_at)
                AND (x.expires_at IS NULL OR x.expires_at > p_occurred_at)
                AND (a.expires_at IS NULL OR a.expires_at > p_occurred_at)
                AND (m.ended_at IS NULL OR m.ended_at > p_occurred_at)
                AND (u.deactivated_at IS NULL OR u.deactivated_at > p_occurred_at)
            END
        INTO key_id, key_salt, key_root, membership_id, team_id, team_slug, api_key_id, key_works
        FROM teams_apikeytext x
            CROSS JOIN LATERAL (SELECT * FROM teams_apikey a WHERE a.id = x.api_key_id OFFSET 0) a
            CROSS JOIN LATERAL (SELECT * FROM teams_team t WHERE t.id = x.team_id OFFSET 0) t
            CROSS JOIN LATERAL (SELECT * FROM teams_membership m WHERE m.id = x.membership_id OFFSET 0) m
            CROSS JOIN LATERAL (SELECT * FROM teams_user u WHERE u.id = m.user_id OFFSET 0) u
        WHERE x.key_id = p_key_public_id;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    owes := EXISTS (SELECT 1 FROM quota_owedusage o
        WHERE o.account = 'balance' AND o.left_nanousd > 0 AND o.team_id = team_id);
    SELECT c.id INTO rate_card_id FROM quota_ratecard c
        WHERE c.effective_from <= p_occurred_at AND c.withdrawn_at IS NULL ORDER BY c.effective_from DESC LIMIT 1;
    IF p_request_id IS NOT NULL THEN
        SELECT i.reservation_id INTO prior_reservation_id FROM quota_requestid i
            WHERE i.team_id = team_id AND i.request_id = p_request_id;
    END IF;
    RETURN NEXT;
END $$;
"""

USABLE_BALANCE = """
-- How much of the Team's API balance, in nano-dollars, an API key may use for a call that occurred at p_occurred_at: the
-- lots that live at p_lots_at, less what live reservations other than p_except_id hold; where p_capped, no more than the
-- key's cap leaves of the calendar month (UTC). What was bought never expires.
-- With p_lock it locks the Team's row of Credits first, as `quota_usable_credits` does.
CREATE FUNCTION quota_usable_balance(
    p_team_id bigint, p_api_key_id bigint, p_capped boolean, p_occurred_at timestamptz, p_lots_at timestamptz,
    p_at timestamptz, p_except_id uuid, p_lock boolean
) RETURNS bigint LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_cap bigint; v_free bigint; v_used bigint; v_held bigint;
    v_month date := date_trunc('month', p_occurred_at AT TIME ZONE 'UTC')::date;
    -- As for Credits.
    v_oldest uuid := quota_first_id(least(p_at, clock_timestamp()) - interval '92 days');
    v_newest uuid := quota_first_id(greatest(p_at, clock_timestamp()) + interval '1 day');
BEGIN
    IF p_lock THEN
        PERFORM quota_lock_credits(p_team_id);
    END IF;
    -- As for Credits: for each voucher that has expired, and for none, what expires later must cover the holds that
    -- were made later.
    WITH moments AS (
        SELECT '-infinity'::timestamptz AS moment
        UNION ALL
        SELECT g.expires_at FROM quota_creditgrant g WHERE g.team_id = p_team_id AND g.account = 'balance'
            AND g.remaining_nanousd > 0 AND g.expires_at <= p_lots_at AND g.frozen_at IS NULL
    )
    SELECT min(
            (SELECT coalesce(sum(g.remaining_nanousd), 0) FROM quota_creditgrant g
                WHERE g.team_id = p_team_id AND g.account = 'balance' AND g.remaining_nanousd > 0
                AND g.frozen_at IS NULL AND coalesce(g.expires_at, 'infinity') > moment)
            - (SELECT coalesce(sum(r.left_balance_nanousd), 0) FROM quota_reservation r
                WHERE r.team_id = p_team_id AND r.state = 'held' AND r.from_balance_nanousd > 0
                AND r.id >= v_oldest AND r.id < v_newest
                AND r.holds_until > p_at AND r.created_at >= moment AND r.id IS DISTINCT FROM p_except_id)
        ) INTO v_free FROM moments;
    SELECT a.month_cap_nanousd INTO v_cap FROM teams_apikey a WHERE a.id = p_api_key_id;
    IF v_cap IS NULL OR NOT p_capped THEN
        RETURN greatest(0, v_free);
    END IF;
    SELECT coalesce(sum(r.left_balance_nanousd), 0) INTO v_held
        FROM quota_reservation r
        WHERE r.team_id = p_team_id AND r.state = 'held' AND r.from_balance_nanousd > 0 AND r.holds_until > p_at
        AND r.id IS DISTINCT FROM p_except_id AND r.api_key_id = p_api_key_id
        AND r.id >= v_oldest AND r.id < v_newest
        AND v_month BETWEEN date_trunc('month', r.created_at AT TIME ZONE 'UTC')::date
            AND date_trunc('month', (CASE WHEN r.model = '' THEN r.expires_at ELSE r.created_at END)
                AT TIME ZONE 'UTC')::date;
    SELECT coalesce(sum(m.used_nanousd), 0) INTO v_used FROM quota_apikeymonth m
        WHERE m.month = v_month AND m.api_key_id = p_api_key_id;
    RETURN greatest(0, least(v_free, v_cap - v_used - v_held));
END $$;
"""

DROP = """
DROP FUNCTION quota_usable_balance(bigint, bigint, boolean, timestamptz, timestamptz, timestamptz, uuid, boolean);
DROP FUNCTION quota_api_call_state(text, text, timestamptz, timestamptz, boolean);
DROP FUNCTION quota_api_text_works(bigint, timestamptz);
"""

# A call is of a text of its API key, and the key of its Team.
TWO_ROADS = """
ALTER TABLE quota_reservation
    ADD CONSTRAINT a_reservation_is_of_its_api_keys_team
    FOREIGN KEY (team_id, api_key_id) REFERENCES teams_apikey (team_id, id),
    ADD CONSTRAINT a_reservation_is_of_a_text_of_its_api_key
    FOREIGN KEY (api_key_id, api_text_id) REFERENCES teams_apikeytext (api_key_id, id);
ALTER TABLE quota_usageevent
    ADD CONSTRAINT a_usage_event_is_of_its_api_keys_team
    FOREIGN KEY (team_id, api_key_id) REFERENCES teams_apikey (team_id, id),
    ADD CONSTRAINT a_usage_event_is_of_a_text_of_its_api_key
    FOREIGN KEY (api_key_id, api_text_id) REFERENCES teams_apikeytext (api_key_id, id);
"""
ONE_ROAD = """
ALTER TABLE quota_usageevent
    DROP CONSTRAINT a_usage_event_is_of_a_text_of_its_api_key, DROP CONSTRAINT a_usage_event_is_of_its_api_keys_team;
ALTER TABLE quota_reservation
    DROP CONSTRAINT a_reservation_is_of_a_text_of_its_api_key, DROP CONSTRAINT a_reservation_is_of_its_api_keys_team;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('quota', '0005_api_balance'),
        ('teams', '0003_api_keys'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='reservation',
            name='a_reservation_holds_what_was_estimated',
        ),
        migrations.RemoveConstraint(
            model_name='reservation',
            name='no_more_is_left_of_a_hold_than_was_held',
        ),
        migrations.RemoveConstraint(
            model_name='usageevent',
            name='a_charge_is_the_sum_of_its_parts',
        ),
        migrations.RemoveConstraint(
            model_name='usageevent',
            name='no_part_of_a_charge_is_negative',
        ),
        migrations.AddField(
            model_name='reservation',
            name='api_key',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.apikey'),
        ),
        migrations.AddField(
            model_name='reservation',
            name='api_text',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.apikeytext'),
        ),
        migrations.AddField(
            model_name='reservation',
            name='from_balance_nanousd',
            field=models.BigIntegerField(db_default=0, default=0, verbose_name='from the API balance, in nano-dollars'),
        ),
        migrations.AddField(
            model_name='reservation',
            name='left_balance_nanousd',
            field=models.BigIntegerField(db_default=0, default=0, help_text='What draws have left of the API balance part.', verbose_name='left of the API balance, in nano-dollars'),
        ),
        migrations.AddField(
            model_name='usageevent',
            name='api_key',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.apikey'),
        ),
        migrations.AddField(
            model_name='usageevent',
            name='api_text',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.apikeytext'),
        ),
        migrations.AddField(
            model_name='usageevent',
            name='from_balance_nanousd',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='reservation',
            name='key',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.subscriptionkey'),
        ),
        migrations.AlterField(
            model_name='usageevent',
            name='key',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='teams.subscriptionkey'),
        ),
        migrations.AddIndex(
            model_name='reservation',
            index=models.Index(condition=models.Q(('from_balance_nanousd__gt', 0), ('state', 'held')), fields=['team', 'holds_until'], name='balance_holds_of_a_team'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(('estimate_nanousd', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('from_quota_nanousd'), '+', models.F('from_credits_nanousd')), '+', models.F('from_balance_nanousd'))), ('from_balance_nanousd__gte', 0), ('from_credits_nanousd__gte', 0), ('from_quota_nanousd__gte', 0)), name='a_reservation_holds_what_was_estimated'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(('left_balance_nanousd__gte', 0), ('left_credits_nanousd__gte', 0), ('left_quota_nanousd__gte', 0), ('left_quota_nanousd__lte', models.F('from_quota_nanousd')), ('left_credits_nanousd__lte', models.F('from_credits_nanousd')), ('left_balance_nanousd__lte', models.F('from_balance_nanousd'))), name='no_more_is_left_of_a_hold_than_was_held'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('api_key', None), ('api_text', None), ('from_balance_nanousd', 0), ('key__isnull', False)), models.Q(('api_key__isnull', False), ('api_text__isnull', False), ('from_credits_nanousd', 0), ('key', None), ('seat', None)), _connector='OR'), name='an_api_key_holds_api_balance_and_nothing_else'),
        ),
        migrations.AddConstraint(
            model_name='usageevent',
            constraint=models.CheckConstraint(condition=models.Q(('amount_nanousd', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('from_quota_nanousd'), '+', models.F('from_credits_nanousd')), '+', models.F('from_balance_nanousd')), '+', models.F('overrun_nanousd')))), name='a_charge_is_the_sum_of_its_parts'),
        ),
        migrations.AddConstraint(
            model_name='usageevent',
            constraint=models.CheckConstraint(condition=models.Q(('from_credits_nanousd__gte', 0), ('from_quota_nanousd__gte', 0), ('overrun_nanousd__gte', 0), ('from_balance_nanousd__gte', 0)), name='no_part_of_a_charge_is_negative'),
        ),
        migrations.AddConstraint(
            model_name='usageevent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('api_key', None), ('api_text', None), ('from_balance_nanousd', 0), ('key__isnull', False)), models.Q(('api_key__isnull', False), ('api_text__isnull', False), ('from_credits_nanousd', 0), ('key', None), ('seat', None)), _connector='OR'), name='an_api_key_is_charged_to_the_api_balance'),
        ),
        migrations.RunSQL(TWO_ROADS, ONE_ROAD),
        migrations.RunSQL(TEXT_WORKS + CALL_STATE + USABLE_BALANCE, DROP),
    ]
