"""Windows are packed (quota/stored_windows.py), and a charge keeps of those after it only how much each number is more: 5 to 10
numbers of 8 bytes each become some 20 to 50 bytes.
"""

import importlib

from django.db import migrations, models

# As `quota.stored_windows` packs them: a moment as twice its minutes, or twice its microseconds and one; how much more than the
# numbers before; seven bits a byte. Not of pg_temp, which the other servers of a cluster would not have.
CONVERT = """
CREATE FUNCTION quota_windows_in_order(p_numbers bigint[], p_of integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_numbers[p_of] IS NULL THEN 0 WHEN p_of % 5 NOT IN (3, 4) THEN p_numbers[p_of]
        WHEN p_numbers[p_of] % 60000000 = 0 THEN p_numbers[p_of] / 60000000 * 2 ELSE p_numbers[p_of] * 2 + 1 END
$$;
CREATE FUNCTION quota_windows_in_bytes(p_number bigint) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_rest bigint := CASE WHEN p_number < 0 THEN -2 * p_number - 1 ELSE 2 * p_number END;
    v_bytes text := '';
BEGIN
    WHILE v_rest > 127 LOOP
        v_bytes := v_bytes || lpad(to_hex(v_rest % 128 + 128), 2, '0');
        v_rest := v_rest / 128;
    END LOOP;
    RETURN decode(v_bytes || lpad(to_hex(v_rest), 2, '0'), 'hex');
END $$;
CREATE FUNCTION quota_windows_packed(p_before bigint[], p_after bigint[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce((SELECT string_agg(quota_windows_in_bytes(quota_windows_in_order(p_before, n)), '' ORDER BY n)
            FROM generate_series(1, cardinality(p_before)) AS n), '')
        || coalesce((SELECT string_agg(quota_windows_in_bytes(quota_windows_in_order(p_after, n) - quota_windows_in_order(p_before, n)), '' ORDER BY n)
            FROM generate_series(1, cardinality(p_after)) AS n), '')
$$;
ALTER TABLE quota_reservation ALTER windows TYPE bytea USING quota_windows_packed(windows, '{}');
ALTER TABLE quota_usageevent ALTER windows_before TYPE bytea USING quota_windows_packed(windows_before, windows_after),
    DROP windows_after;
ALTER TABLE quota_usageevent RENAME windows_before TO windows;
DROP FUNCTION quota_windows_packed(bigint[], bigint[]);
DROP FUNCTION quota_windows_in_bytes(bigint);
DROP FUNCTION quota_windows_in_order(bigint[], integer);
"""


def functions_anew():
    """The functions as they were made last, with what is other in them."""
    made = importlib.import_module("quota.migrations.0041_credits_of_many_calls")
    many = made.AFTER[made.AFTER.index("CREATE OR REPLACE FUNCTION quota_write_charges(") :]
    yield many.replace("ELSE '{}' END", "ELSE '' END")
    yield made.text_of("0032_rows_name_their_team", "quota_write_charge").replace("THEN '{}' ELSE r.windows", "THEN '' ELSE r.windows")
    fitted = importlib.import_module("quota.migrations.0033_one_team_at_a_time").PARTITIONS
    yield fitted.replace("'windows_before', 'windows_after'", "'windows'")


class Migration(migrations.Migration):
    dependencies = [("quota", "0043_windows_that_have_ended")]

    operations = [
        migrations.RunSQL(
            CONVERT + "\n".join(functions_anew()),
            # A data folder goes forward alone, as with what was kept of windows before (0018).
            migrations.RunSQL.noop,
            state_operations=[
                migrations.AlterField("reservation", "windows", models.BinaryField(default=b"", verbose_name="windows")),
                migrations.RemoveField("usageevent", "windows_after"),
                migrations.RenameField("usageevent", "windows_before", "windows"),
                migrations.AlterField("usageevent", "windows", models.BinaryField(default=b"", verbose_name="windows")),
            ],
        ),
    ]
