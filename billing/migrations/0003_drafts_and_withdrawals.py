"""The prices of a draft are replaced, those of a plan on sale are there and stay."""

import django.db.models.deletion
from django.db import migrations, models


# Who sees a price sees a whole one: what is on sale has both, and they stay.
RULES = """
CREATE TRIGGER the_prices_of_a_published_plan_are_kept BEFORE INSERT OR DELETE ON billing_price
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change_of_a_published_plan();

CREATE FUNCTION billing_refuse_a_plan_without_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM billing_price WHERE plan_id = NEW.id AND interval IN ('month', 'year')) < 2 THEN
        RAISE EXCEPTION 'a plan on sale has a price for a month and for a year'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'a_plan_on_sale_has_both_prices';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_plan_on_sale_has_both_prices BEFORE INSERT OR UPDATE OF sellable ON quota_plan
    FOR EACH ROW WHEN (NEW.sellable) EXECUTE FUNCTION billing_refuse_a_plan_without_prices();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0002_rules_in_the_database'),
        ('quota', '0004_drafts_and_withdrawals'),
    ]

    operations = [
        migrations.AlterField(
            model_name='price',
            name='plan',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='prices', to='quota.plan'),
        ),
        migrations.RunSQL(RULES),
    ]
