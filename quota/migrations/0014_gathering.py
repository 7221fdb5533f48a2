"""What a batch of calls, or of reports, is decided by, locked and read in one statement, and what it writes in another
one (`quota.hot_path.gathered`).

Each statement inside of a function of PL/pgSQL sees afresh, so what is read is never older than the locks.
"""

from django.db import migrations

LIMITS = """
-- A batch that takes so long is given up, and each of its calls goes alone.
CREATE FUNCTION quota_limit_batch() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('lock_timeout', '1s', true), set_config('statement_timeout', '10s', true),
        set_config('idle_in_transaction_session_timeout', '60s', true);
END $$;
"""

WRITES = """
-- Writes the holds, which are rows of the table as JSON, and notes that their keys were used, where the last use is of
-- before p_last_used_before. Answers how many were new: a request id that the Team has used is none.
CREATE FUNCTION quota_write_holds(p_rows json, p_key_ids bigint[], p_at timestamptz, p_last_used_before timestamptz)
RETURNS bigint LANGUAGE plpgsql VOLATILE SET plan_cache_mode = 'force_generic_plan'
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_written bigint;
BEGIN
    UPDATE teams_subscriptionkey k SET last_used_at = p_at
        WHERE k.id = ANY(p_key_ids) AND (k.last_used_at IS NULL OR k.last_used_at < p_last_used_before);
    WITH hold AS MATERIALIZED (
        SELECT * FROM json_populate_recordset(NULL::quota_reservation, p_rows)
    ), taken AS (
        INSERT INTO quota_requestid (team_id, request_id, reservation_id) SELECT team_id, request_id, id FROM hold
        ON CONFLICT (team_id, request_id) DO NOTHING RETURNING reservation_id
    )
    INSERT INTO quota_reservation SELECT h.* FROM hold h JOIN taken t ON t.reservation_id = h.id;
    GET DIAGNOSTICS v_written = ROW_COUNT;
    RETURN v_written;
END $$;
"""

DROP = """
DROP FUNCTION quota_write_holds(json, bigint[], timestamptz, timestamptz);
DROP FUNCTION quota_limit_batch();
"""


class Migration(migrations.Migration):
    dependencies = [("quota", "0013_lean_hot_tables")]

    operations = [migrations.RunSQL(LIMITS + WRITES, DROP)]
