"""What the database refuses, whoever asks, and the tickets of looks at Stripe."""

from django.db import migrations

IMMUTABLE = """
CREATE TRIGGER a_seat_price_is_immutable BEFORE UPDATE ON billing_price
    FOR EACH ROW WHEN ((OLD.plan_id, OLD.interval, OLD.amount_nanousd, OLD.lookup_key)
        IS DISTINCT FROM (NEW.plan_id, NEW.interval, NEW.amount_nanousd, NEW.lookup_key))
    EXECUTE FUNCTION quota_refuse_change('make a new version of the plan instead');
"""

# A row that names a Team and another row of that Team cannot name a row of another Team.
TWO_ROADS = """
ALTER TABLE billing_purchasedseat
    ADD CONSTRAINT a_purchased_seat_is_of_its_seats_team
    FOREIGN KEY (team_id, seat_id) REFERENCES teams_seat (team_id, id),
    ADD CONSTRAINT a_purchased_seat_is_of_its_subscriptions_team
    FOREIGN KEY (team_id, subscription_id) REFERENCES billing_subscription (team_id, id);
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("quota", "0002_rules_in_the_database")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE billing_fetch", "DROP SEQUENCE billing_fetch"),
        migrations.RunSQL(IMMUTABLE, migrations.RunSQL.noop),
        migrations.RunSQL(TWO_ROADS, migrations.RunSQL.noop),
    ]
