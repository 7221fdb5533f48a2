"""What pages and sweeps ask of calls beside people, seats or plans is asked by functions, of which each statement is about one
Team. So a row of one server can be asked about what another server has.
"""

from django.db import migrations

ASKED = """
-- What the buckets of a seat and rule have that begin after p_after and before p_until. NULL where there are none.
CREATE FUNCTION quota_used_in_buckets(
    p_team_id bigint, p_seat_id bigint, p_rule text, p_after timestamptz, p_until timestamptz
) RETURNS numeric LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT sum(b.used_nanousd) FROM quota_usagebucket b
        WHERE b.team_id = p_team_id AND b.seat_id = p_seat_id AND b.rule = p_rule
            AND b.starts_at > p_after AND b.starts_at < p_until);
END $$;

-- When they begin.
CREATE FUNCTION quota_starts_of_buckets(
    p_team_id bigint, p_seat_id bigint, p_rule text, p_after timestamptz, p_until timestamptz
) RETURNS SETOF timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT b.starts_at FROM quota_usagebucket b
        WHERE b.team_id = p_team_id AND b.seat_id = p_seat_id AND b.rule = p_rule
            AND b.starts_at > p_after AND b.starts_at < p_until;
END $$;

-- When the last call until p_until was made that a member was charged for. p_of: '' is any call; 'reported' none that was taken
-- back; 'key' one with the Subscription Key; 'quota' one with that key that quota alone has paid, and that was not corrected.
CREATE FUNCTION quota_last_charge(p_team_id bigint, p_membership_id bigint, p_of text, p_until timestamptz)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT v.occurred_at FROM quota_usageevent v
        WHERE v.team_id = p_team_id AND v.membership_id = p_membership_id AND v.occurred_at <= p_until
            AND CASE p_of
                WHEN 'reported' THEN NOT v.is_undo
                WHEN 'key' THEN v.api_key_id IS NULL
                WHEN 'quota' THEN v.api_key_id IS NULL AND v.corrects_id IS NULL AND v.from_quota_nanousd > 0
                    AND v.from_credits_nanousd = 0 AND v.overrun_nanousd = 0
                ELSE true END
        ORDER BY v.occurred_at DESC LIMIT 1);
END $$;

-- What a member used of a seat's quota, overrun included, from p_since to before p_until.
CREATE FUNCTION quota_used_of_seat(
    p_team_id bigint, p_seat_id bigint, p_membership_id bigint, p_since timestamptz, p_until timestamptz
) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(v.from_quota_nanousd + v.overrun_nanousd), 0) FROM quota_usageevent v
        WHERE v.team_id = p_team_id AND v.seat_id = p_seat_id AND v.membership_id = p_membership_id
            AND v.occurred_at >= p_since AND v.occurred_at < p_until);
END $$;

-- What was used of a seat for calls since p_since, as recorded by p_at: by the windows of a rule, in steps of p_width from p_origin
-- on where the charge does not say in which one it counts.
CREATE FUNCTION quota_used_then(
    p_team_id bigint, p_seat_id bigint, p_rule text, p_width interval, p_origin timestamptz, p_since timestamptz, p_at timestamptz
) RETURNS TABLE (starts_at timestamptz, nanousd bigint) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT
            coalesce((v.first_use_starts->>p_rule)::timestamptz, date_bin(p_width, v.occurred_at, p_origin)),
            sum(v.from_quota_nanousd + v.overrun_nanousd)::bigint
        FROM quota_usageevent v
        WHERE v.team_id = p_team_id AND v.seat_id = p_seat_id AND v.occurred_at >= p_since AND v.recorded_at <= p_at
        GROUP BY 1;
END $$;

-- The event, or else the hold, that a Team's gateway has given this id. NULL where it gave it to none.
CREATE FUNCTION quota_named_by_gateway(p_team_id bigint, p_is_event boolean, p_id text) RETURNS uuid LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_is_event THEN
        RETURN (SELECT i.event_id FROM quota_eventid i WHERE i.team_id = p_team_id AND i.external_id = p_id);
    END IF;
    RETURN (SELECT i.reservation_id FROM quota_requestid i WHERE i.team_id = p_team_id AND i.request_id = p_id);
END $$;

-- Whether a seat has usage, or something is held on it.
CREATE FUNCTION quota_is_used(p_team_id bigint, p_seat_id bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM quota_reservation r WHERE r.team_id = p_team_id AND r.seat_id = p_seat_id AND r.state = 'held') THEN
        RETURN true;
    END IF;
    RETURN EXISTS (SELECT 1 FROM quota_usageevent v WHERE v.team_id = p_team_id AND v.seat_id = p_seat_id);
END $$;

-- What is left in the live lots of an account of a Team.
CREATE FUNCTION quota_left_in_lots(p_team_id bigint, p_account text, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(sum(g.remaining_nanousd), 0) FROM quota_creditgrant g
        WHERE g.team_id = p_team_id AND g.account = p_account AND g.remaining_nanousd > 0
            AND g.frozen_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > p_at));
END $$;
"""

DROP = """
DROP FUNCTION quota_left_in_lots(bigint, text, timestamptz);
DROP FUNCTION quota_is_used(bigint, bigint);
DROP FUNCTION quota_named_by_gateway(bigint, boolean, text);
DROP FUNCTION quota_used_then(bigint, bigint, text, interval, timestamptz, timestamptz, timestamptz);
DROP FUNCTION quota_used_of_seat(bigint, bigint, bigint, timestamptz, timestamptz);
DROP FUNCTION quota_last_charge(bigint, bigint, text, timestamptz);
DROP FUNCTION quota_starts_of_buckets(bigint, bigint, text, timestamptz, timestamptz);
DROP FUNCTION quota_used_in_buckets(bigint, bigint, text, timestamptz, timestamptz);
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0033_one_team_at_a_time")]

    operations = [migrations.RunSQL(ASKED, DROP)]
