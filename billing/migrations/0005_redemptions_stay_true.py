"""What the database refuses of the uses of promotion codes, whoever asks."""

from django.db import migrations

# A redemption and its checkout session are of one Team.
TWO_ROADS = """
ALTER TABLE billing_promotionredemption ADD CONSTRAINT a_redemption_is_of_its_checkouts_team
    FOREIGN KEY (team_id, checkout_id) REFERENCES billing_checkout (team_id, id);
"""

IMMUTABLE = """
CREATE TRIGGER a_used_promotion_stays_used BEFORE UPDATE ON billing_promotionredemption
    FOR EACH ROW WHEN ((OLD.team_id, OLD.promotion_id, OLD.checkout_id)
        IS DISTINCT FROM (NEW.team_id, NEW.promotion_id, NEW.checkout_id)
        OR (OLD.state = 'redeemed' AND NEW.state <> 'redeemed'))
    EXECUTE FUNCTION quota_refuse_change('what was used stays used');
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_promotions_for_what"), ("quota", "0002_rules_in_the_database")]

    operations = [
        migrations.RunSQL(TWO_ROADS, migrations.RunSQL.noop),
        migrations.RunSQL(IMMUTABLE, migrations.RunSQL.noop),
    ]
