"""What the database refuses, whoever asks, and the sequence that numbers the fetches from Stripe."""

from django.db import migrations

IMMUTABLE = """
CREATE TRIGGER a_seat_price_is_immutable BEFORE UPDATE ON billing_price
    FOR EACH ROW WHEN ((OLD.plan_id, OLD.interval, OLD.amount_nanousd, OLD.lookup_key)
        IS DISTINCT FROM (NEW.plan_id, NEW.interval, NEW.amount_nanousd, NEW.lookup_key))
    EXECUTE FUNCTION quota_refuse_change('make a new version of the plan instead');
CREATE TRIGGER an_event_is_kept_for_good BEFORE DELETE ON billing_stripeevent
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('events are kept, so that none is worked as a new one');
CREATE TRIGGER an_event_stays_as_it_came BEFORE UPDATE ON billing_stripeevent
    FOR EACH ROW WHEN ((OLD.stripe_id, OLD.kind, OLD.subject, OLD.payload, OLD.created_at, OLD.received_at)
        IS DISTINCT FROM (NEW.stripe_id, NEW.kind, NEW.subject, NEW.payload, NEW.created_at, NEW.received_at))
    EXECUTE FUNCTION quota_refuse_change('an event stays as it came');
CREATE TRIGGER a_credit_purchase_keeps_its_amount BEFORE UPDATE ON billing_creditpurchase
    FOR EACH ROW WHEN ((OLD.team_id, OLD.kind, OLD.amount_nanousd) IS DISTINCT FROM (NEW.team_id, NEW.kind, NEW.amount_nanousd)
        OR (OLD.state = 'paid' AND NEW.state <> 'paid') OR (OLD.lot_id IS NOT NULL AND NEW.lot_id IS DISTINCT FROM OLD.lot_id))
    EXECUTE FUNCTION quota_refuse_change('what was bought stays bought');
CREATE TRIGGER a_used_promotion_stays_used BEFORE UPDATE ON billing_promotionredemption
    FOR EACH ROW WHEN ((OLD.team_id, OLD.promotion_id, OLD.checkout_id)
        IS DISTINCT FROM (NEW.team_id, NEW.promotion_id, NEW.checkout_id)
        OR (OLD.state = 'redeemed' AND NEW.state <> 'redeemed'))
    EXECUTE FUNCTION quota_refuse_change('what was used stays used');
"""

# A row that names a Team and another row of that Team cannot name a row of another Team.
TWO_ROADS = """
ALTER TABLE billing_change ADD CONSTRAINT a_change_is_of_its_subscriptions_team
    FOREIGN KEY (team_id, subscription_id) REFERENCES billing_subscription (team_id, id);
ALTER TABLE billing_creditpurchase ADD CONSTRAINT a_purchased_lot_is_of_its_team
    FOREIGN KEY (team_id, lot_id) REFERENCES quota_creditgrant (team_id, id);
ALTER TABLE billing_purchasedseat
    ADD CONSTRAINT a_purchased_seat_is_of_its_seats_team
    FOREIGN KEY (team_id, seat_id) REFERENCES teams_seat (team_id, id),
    ADD CONSTRAINT a_purchased_seat_is_of_its_subscriptions_team
    FOREIGN KEY (team_id, subscription_id) REFERENCES billing_subscription (team_id, id);
ALTER TABLE billing_promotionredemption ADD CONSTRAINT a_redemption_is_of_its_checkouts_team
    FOREIGN KEY (team_id, checkout_id) REFERENCES billing_checkout (team_id, id);
"""

# A Team that pays is not deleted, whichever part of the program tries.
KEPT = """
CREATE FUNCTION billing_keep_a_team_that_pays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM billing_subscription WHERE team_id = NEW.id AND ended_at IS NULL)
        OR EXISTS (SELECT 1 FROM billing_checkout WHERE team_id = NEW.id AND state IN ('open', 'processing'))
        OR EXISTS (SELECT 1 FROM billing_creditpurchase WHERE team_id = NEW.id AND state = 'waiting')
    THEN
        RAISE EXCEPTION 'a Team with a live subscription, or a payment under way, is kept'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'a_team_that_pays_is_kept';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_team_that_pays_is_kept BEFORE UPDATE OF deleted_at ON teams_team
    FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
    EXECUTE FUNCTION billing_keep_a_team_that_pays();
"""

# Who sees a price sees a whole one: what is on sale has both, and they stay.
ON_SALE = """
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
    dependencies = [("billing", "0001_initial"), ("quota", "0002_rules")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE billing_fetch_sequence", "DROP SEQUENCE billing_fetch_sequence"),
        migrations.RunSQL(IMMUTABLE, migrations.RunSQL.noop),
        migrations.RunSQL(TWO_ROADS, migrations.RunSQL.noop),
        migrations.RunSQL(ON_SALE, migrations.RunSQL.noop),
        migrations.RunSQL(
            KEPT,
            "DROP TRIGGER a_team_that_pays_is_kept ON teams_team; DROP FUNCTION billing_keep_a_team_that_pays",
        ),
    ]
