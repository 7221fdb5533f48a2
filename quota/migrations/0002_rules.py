"""What the database refuses, whoever asks: changed history, changed plans and prices, two roads to two Teams."""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION quota_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER usage_events_are_append_only BEFORE UPDATE OR DELETE ON quota_usageevent
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('usage events are append-only');
CREATE TRIGGER the_credit_ledger_is_append_only BEFORE UPDATE OR DELETE ON quota_creditledgerentry
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('the Credit ledger is append-only');
CREATE TRIGGER past_credit_access_is_append_only BEFORE UPDATE OR DELETE ON quota_pastcreditaccess
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('past access is append-only');
CREATE TRIGGER past_team_overflow_is_append_only BEFORE UPDATE OR DELETE ON quota_pastteamoverflow
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('past policies are append-only');
CREATE TRIGGER a_price_is_immutable BEFORE UPDATE OR DELETE ON quota_ratecardprice
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('load a new rate card instead');

-- What was charged stays charged: once there is a card, none begins before it is loaded. One that was withdrawn before
-- it was in force has charged nothing.
CREATE FUNCTION quota_refuse_past_rate_card() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.effective_from < NEW.loaded_at AND EXISTS (SELECT 1 FROM quota_ratecard WHERE withdrawn_at IS NULL) THEN
        RAISE EXCEPTION 'a rate card from % is refused: it begins in the past', NEW.effective_from
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER a_later_rate_card_is_not_from_the_past BEFORE INSERT ON quota_ratecard
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_past_rate_card();

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

CREATE TRIGGER a_rate_card_is_immutable BEFORE UPDATE ON quota_ratecard
    FOR EACH ROW WHEN ((OLD.effective_from, OLD.source_sha256, OLD.loaded_at)
        IS DISTINCT FROM (NEW.effective_from, NEW.source_sha256, NEW.loaded_at) OR OLD.withdrawn_at IS NOT NULL)
    EXECUTE FUNCTION quota_refuse_change('load a new rate card instead');
CREATE TRIGGER a_rate_card_is_kept BEFORE DELETE ON quota_ratecard
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('load a new rate card instead');
CREATE TRIGGER an_alias_is_immutable BEFORE UPDATE OR DELETE ON quota_ratecardalias
    FOR EACH ROW EXECUTE FUNCTION quota_refuse_change('load a new rate card instead');
"""

# A row that names a Team and another row of that Team cannot name a row of another Team.
TWO_ROADS = """
ALTER TABLE quota_entitlement ADD CONSTRAINT an_entitlement_is_of_its_seats_team
    FOREIGN KEY (team_id, seat_id) REFERENCES teams_seat (team_id, id);
ALTER TABLE quota_reservation
    ADD CONSTRAINT a_reservation_is_of_its_members_team
    FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id),
    ADD CONSTRAINT a_reservation_is_of_its_seats_team
    FOREIGN KEY (team_id, seat_id) REFERENCES teams_seat (team_id, id),
    ADD CONSTRAINT a_reservation_is_of_its_keys_member
    FOREIGN KEY (membership_id, key_id) REFERENCES teams_subscriptionkey (membership_id, id);
ALTER TABLE quota_usageevent
    ADD CONSTRAINT a_usage_event_is_of_its_members_team
    FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id),
    ADD CONSTRAINT a_usage_event_is_of_its_seats_team
    FOREIGN KEY (team_id, seat_id) REFERENCES teams_seat (team_id, id),
    ADD CONSTRAINT a_usage_event_is_of_its_keys_member
    FOREIGN KEY (membership_id, key_id) REFERENCES teams_subscriptionkey (membership_id, id);
ALTER TABLE quota_closedwindow ADD CONSTRAINT a_closed_window_is_of_its_seats_team
    FOREIGN KEY (team_id, seat_id) REFERENCES teams_seat (team_id, id);
ALTER TABLE quota_seatrequest ADD CONSTRAINT a_seat_request_is_of_its_members_team
    FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id);
ALTER TABLE quota_creditledgerentry
    ADD CONSTRAINT a_ledger_entry_is_of_its_lots_team
    FOREIGN KEY (team_id, grant_id) REFERENCES quota_creditgrant (team_id, id),
    ADD CONSTRAINT a_ledger_entry_is_of_its_members_team
    FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id);
ALTER TABLE quota_owedusage ADD CONSTRAINT owed_usage_is_of_its_members_team
    FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id);
"""

# A lot exists only in a Team that has a row of Credits: the row that every change of a lot locks.
LOCKABLE = """
ALTER TABLE quota_creditgrant ADD CONSTRAINT a_lot_is_of_a_team_with_a_row_of_credits
    FOREIGN KEY (team_id) REFERENCES quota_teamcredits (team_id);
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0001_initial"), ("teams", "0002_rules")]

    operations = [migrations.RunSQL(APPEND_ONLY), migrations.RunSQL(TWO_ROADS), migrations.RunSQL(LOCKABLE)]
