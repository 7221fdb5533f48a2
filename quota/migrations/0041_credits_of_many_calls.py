"""Batches have Credits pay, too: what many members may use, and the lots of many Teams, are locked and read without waiting.
And what one charge takes from lots, or many do, is written by one function, by statements that each name one Team.
Batches settle what a sweep has marked as over, too.
"""

import importlib
import re

from django.db import migrations

READS = """
-- The Teams of these whose rows of Credits are locked by this transaction now; nothing is waited for.
CREATE FUNCTION quota_lock_free_credits(p_team_ids bigint[]) RETURNS bigint[] LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN (SELECT coalesce(array_agg(l.team_id), '{}')
        FROM (SELECT DISTINCT unnest(p_team_ids) AS team_id) asked CROSS JOIN LATERAL (
            SELECT t.team_id FROM quota_teamcredits t WHERE t.team_id = asked.team_id FOR NO KEY UPDATE SKIP LOCKED
        ) l);
END $$;

-- Of each member with a seat, by number from 1 on, how much of the Team's Credits may be used at p_at, as `quota_usable_credits`
-- says; nothing where the Team has no row of them. NULL where somebody else has locked that row; the others stay locked.
CREATE FUNCTION quota_usable_of_many(p_team_ids bigint[], p_membership_ids bigint[], p_at timestamptz)
RETURNS TABLE (number bigint, usable bigint) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_locked bigint[] := quota_lock_free_credits(p_team_ids);
BEGIN
    RETURN QUERY
    SELECT asked.number, CASE
        WHEN asked.team_id = ANY(v_locked)
            THEN quota_usable_credits(asked.team_id, asked.membership_id, true, p_at, p_at, p_at, NULL, false)
        WHEN NOT EXISTS (SELECT 1 FROM quota_teamcredits t WHERE t.team_id = asked.team_id) THEN 0 END
    FROM unnest(p_team_ids, p_membership_ids) WITH ORDINALITY AS asked (team_id, membership_id, number);
END $$;

-- The lots of Credits of these Teams that have something left, frozen ones apart, in the order of drawing. A Team without such
-- a lot has a row without one. Nothing of a Team whose row of Credits somebody else has locked; the others stay locked.
CREATE FUNCTION quota_locked_lots(p_team_ids bigint[])
RETURNS TABLE (team_id bigint, id bigint, remaining_nanousd bigint, expires_at timestamptz) LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    v_locked bigint[] := quota_lock_free_credits(p_team_ids);
BEGIN
    RETURN QUERY
    SELECT locked.team_id, lot.id, lot.remaining_nanousd, lot.expires_at
    FROM unnest(v_locked) AS locked (team_id) LEFT JOIN LATERAL (
        SELECT g.id, g.remaining_nanousd, g.expires_at FROM quota_creditgrant g
        WHERE g.team_id = locked.team_id AND g.account = 'credits' AND g.remaining_nanousd > 0 AND g.frozen_at IS NULL OFFSET 0
    ) lot ON true
    ORDER BY locked.team_id, lot.expires_at, lot.id;
END $$;
"""

WRITES = """
-- Takes each draw, an object of JSON, from its lot, and writes it into the ledger and into the month of the member, or of the
-- API key. The Teams' rows of Credits are locked.
CREATE FUNCTION quota_write_draws(p_draws json) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v record;
BEGIN
    FOR v IN SELECT * FROM json_to_recordset(p_draws) AS draw (
        team_id bigint, account text, grant_id bigint, nanousd bigint, event_id uuid, membership_id bigint, api_key_id bigint,
        cause text, at timestamptz, month date
    ) LOOP
        UPDATE quota_creditgrant g SET remaining_nanousd = g.remaining_nanousd - v.nanousd
            WHERE g.team_id = v.team_id AND g.id = v.grant_id;
        INSERT INTO quota_creditledgerentry (team_id, account, grant_id, kind, amount_nanousd, event_id, membership_id, cause, at)
            VALUES (v.team_id, v.account, v.grant_id, 'use', -v.nanousd, v.event_id, v.membership_id, v.cause, v.at);
        IF v.api_key_id IS NULL THEN
            INSERT INTO quota_creditmonth AS c (team_id, membership_id, month, used_nanousd)
                VALUES (v.team_id, v.membership_id, v.month, v.nanousd)
                ON CONFLICT (membership_id, month, team_id) DO UPDATE SET used_nanousd = c.used_nanousd + EXCLUDED.used_nanousd;
        ELSE
            INSERT INTO quota_apikeymonth AS c (team_id, api_key_id, month, used_nanousd)
                VALUES (v.team_id, v.api_key_id, v.month, v.nanousd)
                ON CONFLICT (api_key_id, month, team_id) DO UPDATE SET used_nanousd = c.used_nanousd + EXCLUDED.used_nanousd;
        END IF;
    END LOOP;
END $$;
"""

DROP = """
DROP FUNCTION quota_write_draws(json);
DROP FUNCTION quota_locked_lots(bigint[]);
DROP FUNCTION quota_usable_of_many(bigint[], bigint[], timestamptz);
DROP FUNCTION quota_lock_free_credits(bigint[]);
"""


def text_of(module, name):
    """The function's text as that migration made it, which was the last to do so, to put in its place."""
    made = importlib.import_module(f"quota.migrations.{module}")
    texts = made.functions_anew() if hasattr(made, "functions_anew") else [made.WRITES]
    found = re.search(rf"CREATE (?:OR REPLACE )?(FUNCTION {name}\(.*?END \$\$;)", "\n".join(texts), re.DOTALL)
    return f"CREATE OR REPLACE {found[1]}"


# The functions as they were made last, and what is other in them.
CHANGED = [
    (
        text_of("0031_fewer_bytes_a_call", "quota_gather_holds"),
        ("r.state IS NOT DISTINCT FROM 'held'", "(r.state IS NOT DISTINCT FROM 'held' OR r.expired)"),
    ),
    (
        text_of("0032_rows_name_their_team", "quota_write_charges"),
        (
            "            state = CASE d.becomes",
            "            expired = r.expired AND d.becomes = '',\n            state = CASE d.becomes",
        ),
    ),
]
BEFORE = "\n".join(text for text, _ in CHANGED)
AFTER = "\n".join(text.replace(*change) for text, change in CHANGED)


class Migration(migrations.Migration):
    dependencies = [("quota", "0040_bars_of_many_teams")]

    operations = [migrations.RunSQL(READS + WRITES + AFTER, DROP + BEFORE)]
