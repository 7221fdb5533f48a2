"""Rules that Django's constraints cannot say: what is append-only, two roads to one Team, one person per Default Team."""

from django.db import migrations

AUDIT_IS_APPEND_ONLY = """
CREATE FUNCTION teams_refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit log is append-only: an entry is never changed or deleted.'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'the_audit_log_is_append_only';
END $$;
CREATE TRIGGER the_audit_log_is_append_only BEFORE UPDATE OR DELETE ON teams_auditentry
    FOR EACH ROW EXECUTE FUNCTION teams_refuse_change_of_audit();
"""
AUDIT_IS_OPEN = """
DROP TRIGGER the_audit_log_is_append_only ON teams_auditentry;
DROP FUNCTION teams_refuse_change_of_audit();
"""

ONE_TEAM_BY_BOTH_ROADS = """
ALTER TABLE teams_seatholding
    ADD CONSTRAINT a_seat_is_held_in_its_own_team
        FOREIGN KEY (team_id, seat_id) REFERENCES teams_seat (team_id, id) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT a_seat_is_held_by_a_member_of_its_team
        FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE teams_subscriptionkey
    ADD CONSTRAINT a_key_is_of_its_members_team
        FOREIGN KEY (team_id, membership_id) REFERENCES teams_membership (team_id, id),
    ADD CONSTRAINT key_of_membership UNIQUE (membership_id, id);
"""
TWO_ROADS = """
ALTER TABLE teams_subscriptionkey DROP CONSTRAINT key_of_membership, DROP CONSTRAINT a_key_is_of_its_members_team;
ALTER TABLE teams_seatholding
    DROP CONSTRAINT a_seat_is_held_in_its_own_team,
    DROP CONSTRAINT a_seat_is_held_by_a_member_of_its_team;
"""

# No race: whose Default Team a Team is never changes after its row is written, by the second trigger.
DEFAULT_TEAM_IS_PERSONAL = """
CREATE FUNCTION teams_refuse_guest_in_default_team() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM teams_team
        WHERE id = NEW.team_id AND default_for_id IS NOT NULL
            AND (default_for_id <> NEW.user_id OR NEW.role <> 'owner' OR NEW.ended_at IS NOT NULL)
    ) THEN
        RAISE EXCEPTION 'A Default Team has exactly one member: its user, as Owner, for good.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'a_default_team_has_one_member_its_owner';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_default_team_has_one_member_its_owner
    BEFORE INSERT OR UPDATE OF team_id, user_id, role, ended_at ON teams_membership
    FOR EACH ROW EXECUTE FUNCTION teams_refuse_guest_in_default_team();

CREATE FUNCTION teams_refuse_new_user_of_default_team() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Whether a Team is a Default Team, and whose, never changes.'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'a_default_team_stays_its_users';
END $$;
CREATE TRIGGER a_default_team_stays_its_users BEFORE UPDATE ON teams_team
    FOR EACH ROW WHEN (OLD.default_for_id IS DISTINCT FROM NEW.default_for_id)
    EXECUTE FUNCTION teams_refuse_new_user_of_default_team();
"""
DEFAULT_TEAM_IS_OPEN = """
DROP TRIGGER a_default_team_stays_its_users ON teams_team;
DROP FUNCTION teams_refuse_new_user_of_default_team();
DROP TRIGGER a_default_team_has_one_member_its_owner ON teams_membership;
DROP FUNCTION teams_refuse_guest_in_default_team();
"""

# Two texts are one address only when they are equal. The table is the sign-in library's, so its model cannot say this.
ADDRESSES_OF_SIGN_IN = r"""
ALTER TABLE account_emailaddress
    ADD CONSTRAINT an_address_to_sign_in_by_is_in_its_one_form CHECK (email ~ '^[!-@\[-~]+$');
"""
ADDRESSES_ARE_FREE = "ALTER TABLE account_emailaddress DROP CONSTRAINT an_address_to_sign_in_by_is_in_its_one_form;"

# For what is read outside of a service's transaction, as by a page: a setting of the role, since one of the session is
# lost behind PgBouncer. Services and sweeps set their own; `manage.py migrate` sets none.
READS_END = """
DO $$ BEGIN
    EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET statement_timeout = ''60s''', current_database());
END $$;
"""
READS_GO_ON = """
DO $$ BEGIN
    EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I RESET statement_timeout', current_database());
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("teams", "0001_initial"), ("account", "0009_emailaddress_unique_primary_email")]

    operations = [
        migrations.RunSQL(AUDIT_IS_APPEND_ONLY, AUDIT_IS_OPEN),
        migrations.RunSQL(ONE_TEAM_BY_BOTH_ROADS, TWO_ROADS),
        migrations.RunSQL(DEFAULT_TEAM_IS_PERSONAL, DEFAULT_TEAM_IS_OPEN),
        migrations.RunSQL(ADDRESSES_OF_SIGN_IN, ADDRESSES_ARE_FREE),
        migrations.RunSQL(READS_END, READS_GO_ON),
    ]
