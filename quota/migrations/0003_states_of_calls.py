"""The database functions of the hot path: they lock, and then read what a decision needs.

Each statement inside a function of PL/pgSQL sees what was committed before that statement began, so what is read after
a lock is never older than the lock. A plain SELECT that locked and summed at once would sum what it saw before it waited.
"""

from django.db import migrations

LIMITS = """
-- What `tokenplan.kit.transactions` sets for services, set here without a round trip: until this transaction ends.
CREATE FUNCTION quota_limit_transaction() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('statement_timeout', '30s', true),
        set_config('idle_in_transaction_session_timeout', '60s', true);
END $$;
"""

SEAT_USAGE = """
-- Of each seat: the window rules of all plans it was ever entitled to, the buckets that a window around its moment or
-- later may count, and the live holds. Read by `quota.hot_path.state`.
CREATE TYPE quota_seat_usage_row AS (
    rules text[], bucket_rules text[], bucket_starts timestamptz[], bucket_used bigint[],
    hold_ids uuid[], hold_starts timestamptz[], hold_nanousd bigint[], hold_agents text[], hold_ends timestamptz[],
    hold_leases boolean[], hold_agents_until timestamptz[]
);
"""

HELD_SEAT = """
-- The seat that a member holds: before a call (p_before) the one of now, after it the one of then.
CREATE FUNCTION quota_held_seat(p_membership_id bigint, p_before boolean, p_occurred_at timestamptz)
RETURNS TABLE (seat_id bigint) LANGUAGE sql STABLE AS $$
    SELECT h.seat_id FROM teams_seatholding h
    WHERE h.membership_id = p_membership_id AND (
        CASE WHEN p_before THEN h.ended_at IS NULL
        ELSE h.started_at <= p_occurred_at AND (h.ended_at IS NULL OR h.ended_at > p_occurred_at) END)
    ORDER BY h.started_at DESC LIMIT 1
$$;
"""

LOCK_CREDITS = """
-- The Team's row of Credits, the last in the order of locks, is locked, and made first where there is none: else a first
-- lot that is granted now could neither be seen by who asks nor see what will be owed.
CREATE FUNCTION quota_lock_credits(p_team_id bigint) RETURNS void LANGUAGE plpgsql VOLATILE
SET lock_timeout = '3s' AS $$
BEGIN
    PERFORM 1 FROM quota_teamcredits t WHERE t.team_id = p_team_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO quota_teamcredits (team_id) VALUES (p_team_id) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM quota_teamcredits t WHERE t.team_id = p_team_id FOR NO KEY UPDATE;
    END IF;
END $$;
"""

USABLE_CREDITS = """
-- How much of the Team's Credits, in nano-dollars, a member may use for a call that occurred at p_occurred_at.
-- The member's access, both overflow policies (where the call is the overflow of a working seat) and the member's month
-- cap (calendar month, UTC), all as they were then; the lots that live at p_lots_at, and what live reservations other
-- than p_except_id hold.
-- With p_lock it locks the Team's row of Credits first, as all that changes a lot does; no lot exists without that row.
CREATE FUNCTION quota_usable_credits(
    p_team_id bigint, p_membership_id bigint, p_seated boolean, p_occurred_at timestamptz, p_lots_at timestamptz,
    p_at timestamptz, p_except_id uuid, p_lock boolean
) RETURNS bigint LANGUAGE plpgsql VOLATILE SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_founder boolean; v_member boolean; v_may boolean; v_overflow boolean; v_cap bigint;
    v_free bigint; v_used bigint; v_member_held bigint;
    -- A call that is decided now is judged by the rows as they stand, whatever another server's clock wrote into them.
    v_late boolean := p_occurred_at < p_at;
    v_month date := date_trunc('month', p_occurred_at AT TIME ZONE 'UTC')::date;
    -- No open hold is older than 91 days, and a day is for clocks: so no older partition is searched.
    v_oldest uuid := quota_first_id(least(p_at, clock_timestamp()) - interval '92 days');
    v_newest uuid := quota_first_id(greatest(p_at, clock_timestamp()) + interval '1 day');
BEGIN
    IF p_lock THEN
        PERFORM quota_lock_credits(p_team_id);
    END IF;
    SELECT m.is_founder, m.ended_at IS NULL OR v_late AND m.ended_at > p_occurred_at INTO v_founder, v_member
        FROM teams_membership m WHERE m.id = p_membership_id;
    -- No row of access: who made the Team may, anyone else may not.
    SELECT rule.allowed, rule.overflow = 'allow', rule.month_cap_nanousd INTO v_may, v_overflow, v_cap FROM (
        SELECT p.until, p.allowed, p.overflow, p.month_cap_nanousd FROM quota_pastcreditaccess p
            WHERE v_late AND p.membership_id = p_membership_id AND p.until > p_occurred_at
        UNION ALL
        SELECT 'infinity', a.allowed, a.overflow, a.month_cap_nanousd FROM quota_creditaccess a
            WHERE a.membership_id = p_membership_id
        UNION ALL
        SELECT NULL, v_founder, 'allow', NULL
    ) rule ORDER BY rule.until NULLS LAST LIMIT 1;
    v_may := v_may AND v_member;  -- Access ends with the membership.
    IF p_seated THEN
        SELECT v_may AND v_overflow AND rule.overflow = 'allow' INTO v_may FROM (
            SELECT p.until, p.overflow FROM quota_pastteamoverflow p
                WHERE v_late AND p.team_id = p_team_id AND p.until > p_occurred_at
            UNION ALL
            SELECT 'infinity', t.overflow FROM quota_teamcredits t WHERE t.team_id = p_team_id
            UNION ALL
            SELECT NULL, 'allow'
        ) rule ORDER BY rule.until NULLS LAST LIMIT 1;
    END IF;
    IF NOT coalesce(v_may, false) THEN
        RETURN 0;
    END IF;
    -- A hold draws on the lots that lived when it was made, the soonest-expiring first: also on one that has expired
    -- since. So for each such expiry, and for none, what expires later must cover the holds that were made later.
    WITH moments AS (
        SELECT '-infinity'::timestamptz AS moment
        UNION ALL
        SELECT g.expires_at FROM quota_creditgrant g WHERE g.team_id = p_team_id AND g.account = 'credits'
            AND g.remaining_nanousd > 0 AND g.expires_at <= p_lots_at AND g.frozen_at IS NULL
    )
    SELECT min(
            (SELECT coalesce(sum(g.remaining_nanousd), 0) FROM quota_creditgrant g
                WHERE g.team_id = p_team_id AND g.account = 'credits' AND g.remaining_nanousd > 0
                AND g.frozen_at IS NULL AND g.expires_at > moment)
            - (SELECT coalesce(sum(r.left_credits_nanousd), 0) FROM quota_reservation r
                WHERE r.team_id = p_team_id AND r.state = 'held' AND r.from_credits_nanousd > 0
                AND r.id >= v_oldest AND r.id < v_newest
                AND r.holds_until > p_at AND r.created_at >= moment AND r.id IS DISTINCT FROM p_except_id)
        ) INTO v_free FROM moments;
    IF v_cap IS NULL THEN
        RETURN greatest(0, v_free);
    END IF;
    -- The cap is the person's: who leaves and comes back has another membership and the same month.
    -- A call counts in the month of its authorize, a lease in every month in which it may be drawn from.
    SELECT coalesce(sum(r.left_credits_nanousd), 0) INTO v_member_held
        FROM quota_reservation r
        WHERE r.team_id = p_team_id AND r.state = 'held' AND r.from_credits_nanousd > 0 AND r.holds_until > p_at
        AND r.id IS DISTINCT FROM p_except_id AND r.id >= v_oldest AND r.id < v_newest
        AND v_month BETWEEN date_trunc('month', r.created_at AT TIME ZONE 'UTC')::date
            AND date_trunc('month', (CASE WHEN r.model = '' THEN r.expires_at ELSE r.created_at END)
                AT TIME ZONE 'UTC')::date
        AND r.membership_id = ANY(ARRAY(SELECT quota_memberships_of_one_person(p_membership_id)));
    SELECT coalesce(sum(m.used_nanousd), 0) INTO v_used FROM quota_creditmonth m
        WHERE m.month = v_month AND m.membership_id = ANY(ARRAY(SELECT quota_memberships_of_one_person(p_membership_id)));
    RETURN greatest(0, least(v_free, v_cap - v_used - v_member_held));
END $$;

-- All memberships, ended or not, that the person of this one ever had in its Team.
CREATE FUNCTION quota_memberships_of_one_person(p_membership_id bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT every.id FROM teams_membership one CROSS JOIN LATERAL (
        -- In these words the Team leads to no index, by which all of its members would be read.
        SELECT m.id FROM teams_membership m
        WHERE m.user_id = one.user_id AND m.team_id IS NOT DISTINCT FROM one.team_id OFFSET 0
    ) every
    WHERE one.id = p_membership_id
$$;
"""

DROP = """
DROP FUNCTION quota_memberships_of_one_person(bigint);
DROP FUNCTION quota_usable_credits(bigint, bigint, boolean, timestamptz, timestamptz, timestamptz, uuid, boolean);
DROP FUNCTION quota_lock_credits(bigint);
DROP FUNCTION quota_held_seat(bigint, boolean, timestamptz);
DROP TYPE quota_seat_usage_row;
DROP FUNCTION quota_limit_transaction();
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0002_rules")]

    operations = [
        migrations.RunSQL(
            LIMITS + SEAT_USAGE + HELD_SEAT + LOCK_CREDITS + USABLE_CREDITS, DROP
        )
    ]
