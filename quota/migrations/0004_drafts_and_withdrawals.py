"""Versions of plans are drafts before they are on sale, and a rate card to come may be withdrawn."""

from django.db import migrations, models


# Every version was on sale from the beginning.
PUBLISHED = "UPDATE quota_plan SET published_at = created_at"

# What is published stays; a draft is nobody's. The row of the plan is locked before it is read, so that neither a
# limit nor a price is changed while the draft is being published.
RULES = """
DROP TRIGGER a_plan_version_is_immutable ON quota_plan;
CREATE TRIGGER a_plan_version_is_immutable BEFORE UPDATE ON quota_plan
    FOR EACH ROW WHEN ((OLD.code, OLD.version) IS DISTINCT FROM (NEW.code, NEW.version) OR (OLD.published_at IS NOT NULL
        AND (OLD.name, OLD.rank, OLD.agents_min, OLD.agents_max, OLD.agents_enforced, OLD.published_at)
        IS DISTINCT FROM (NEW.name, NEW.rank, NEW.agents_min, NEW.agents_max, NEW.agents_enforced, NEW.published_at)))
    EXECUTE FUNCTION quota_refuse_change('make a new version of the plan instead');
CREATE TRIGGER a_plan_version_is_on_sale_once BEFORE UPDATE ON quota_plan
    FOR EACH ROW WHEN (OLD.published_at IS NOT NULL AND NEW.sellable AND NOT OLD.sellable)
    EXECUTE FUNCTION quota_refuse_change('make a new version of the plan instead');
CREATE TRIGGER a_published_plan_version_is_kept BEFORE DELETE ON quota_plan
    FOR EACH ROW WHEN (OLD.published_at IS NOT NULL)
    EXECUTE FUNCTION quota_refuse_change('withdraw the plan from sale instead');

CREATE FUNCTION quota_refuse_change_of_a_published_plan() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    published timestamptz;
BEGIN
    SELECT published_at INTO published FROM quota_plan
        WHERE id = CASE TG_OP WHEN 'INSERT' THEN NEW.plan_id ELSE OLD.plan_id END FOR SHARE;
    IF published IS NOT NULL THEN
        RAISE EXCEPTION '% of % is refused: make a new version of the plan instead', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
DROP TRIGGER the_limits_of_a_used_plan_are_immutable ON quota_planlimit;
DROP FUNCTION quota_refuse_change_of_a_used_plan;
CREATE TRIGGER the_limits_of_a_published_plan_are_immutable BEFORE INSERT OR UPDATE OR DELETE ON quota_planlimit
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change_of_a_published_plan();

CREATE FUNCTION quota_refuse_a_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM quota_plan WHERE id = NEW.plan_id AND published_at IS NULL) THEN
        RAISE EXCEPTION '% of % is refused: the plan is a draft', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_seat_has_no_draft BEFORE INSERT OR UPDATE OF plan_id ON quota_entitlement
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_a_draft();

DROP TRIGGER a_rate_card_is_immutable ON quota_ratecard;
CREATE TRIGGER a_rate_card_is_immutable BEFORE UPDATE ON quota_ratecard
    FOR EACH ROW WHEN ((OLD.effective_from, OLD.source_sha256, OLD.loaded_at)
        IS DISTINCT FROM (NEW.effective_from, NEW.source_sha256, NEW.loaded_at) OR OLD.withdrawn_at IS NOT NULL)
    EXECUTE FUNCTION quota_refuse_change('load a new rate card instead');
CREATE TRIGGER a_rate_card_is_kept BEFORE DELETE ON quota_ratecard
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('load a new rate card instead');

-- A card that was withdrawn before it was in force has charged nothing.
CREATE OR REPLACE FUNCTION quota_refuse_past_rate_card() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.effective_from < NEW.loaded_at AND EXISTS (SELECT 1 FROM quota_ratecard WHERE withdrawn_at IS NULL) THEN
        RAISE EXCEPTION 'a rate card from % is refused: it begins in the past', NEW.effective_from
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('quota', '0003_hot_path'),
    ]

    operations = [
        migrations.AddField(
            model_name='plan',
            name='published_at',
            field=models.DateTimeField(blank=True, help_text='When it went on sale. Empty: a draft.', null=True),
        ),
        migrations.AddField(
            model_name='ratecard',
            name='withdrawn_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunSQL(PUBLISHED),
        migrations.AlterField(
            model_name='plan',
            name='sellable',
            field=models.BooleanField(default=False, help_text='On sale. A plan has one such version.'),
        ),
        migrations.AlterField(
            model_name='ratecard',
            name='effective_from',
            field=models.DateTimeField(),
        ),
        migrations.AddConstraint(
            model_name='plan',
            constraint=models.UniqueConstraint(condition=models.Q(('sellable', True)), fields=('code',), name='a_plan_has_one_version_on_sale'),
        ),
        migrations.AddConstraint(
            model_name='plan',
            constraint=models.UniqueConstraint(condition=models.Q(('published_at', None)), fields=('code',), name='a_plan_has_one_draft'),
        ),
        migrations.AddConstraint(
            model_name='plan',
            constraint=models.CheckConstraint(condition=models.Q(('sellable', False), ('published_at__isnull', False), _connector='OR'), name='a_draft_is_not_on_sale'),
        ),
        migrations.AddConstraint(
            model_name='ratecard',
            constraint=models.UniqueConstraint(condition=models.Q(('withdrawn_at', None)), fields=('effective_from',), name='one_rate_card_is_in_force_from_a_moment'),
        ),
        migrations.AddConstraint(
            model_name='ratecard',
            constraint=models.CheckConstraint(condition=models.Q(('withdrawn_at', None), ('withdrawn_at__lt', models.F('effective_from')), _connector='OR'), name='a_rate_card_in_force_is_not_withdrawn'),
        ),
        migrations.RunSQL(RULES),
    ]
