"""Leases are asked for in batches, too: how long a gateway may take to report their draws is read with the rest of it."""

import importlib

from django.db import migrations

DROP = "DROP FUNCTION quota_gather_calls(text[], text[], text[], timestamptz);\n"
BEFORE = importlib.import_module("quota.migrations.0041_credits_of_many_calls").text_of(
    "0028_found_by_index", "quota_gather_calls"
)
AFTER = BEFORE.replace(
    "max_lifetime_seconds integer, charge_hold", "max_lifetime_seconds integer, flush_seconds integer, charge_hold"
).replace("g.max_lifetime_seconds, g.charge_hold", "g.max_lifetime_seconds, g.flush_seconds, g.charge_hold")


class Migration(migrations.Migration):
    dependencies = [("quota", "0041_credits_of_many_calls")]

    operations = [migrations.RunSQL(DROP + AFTER, DROP + BEFORE)]
