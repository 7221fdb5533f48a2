"""What decides about calls finds its rows by an index, whatever the planner believes of the tables.

It plans these statements once for each connection, without their values, from statistics that may be of yesterday: tables that
it takes for small it reads whole, and events of a day it joins whole to the holds of a batch. A batch asks for few rows, each
by its id, so the right plan never depends on statistics.
"""

import importlib

from django.db import migrations

# With what decides, the bar: what it shows is read as what decides is.
FUNCTIONS = (
    "quota_seat_usages(bigint[], timestamptz[], timestamptz[], timestamptz)",
    "quota_usage_bars(bigint[], timestamptz)",
    "quota_usable_credits(bigint, bigint, boolean, timestamptz, timestamptz, timestamptz, uuid, boolean)",
    "quota_usable_balance(bigint, bigint, boolean, timestamptz, timestamptz, timestamptz, uuid, boolean)",
    "quota_call_state(text, text, timestamptz, timestamptz, boolean)",
    "quota_api_call_state(text, text, timestamptz, timestamptz, boolean)",
    "quota_reservation_state(uuid, timestamptz)",
    "quota_call_states(text[], timestamptz[], boolean, timestamptz)",
    "quota_gather_calls(text[], text[], text[], timestamptz)",
    "quota_gather_holds(uuid[], text[], text[], timestamptz)",
    "quota_gather_events(text[], timestamptz[], text[], timestamptz)",
    "quota_write_holds(json, bigint[], timestamptz, timestamptz)",
    "quota_write_charges("
    "json, timestamptz, uuid[], bigint[], bigint[], text[], bigint[], text[], timestamptz[], bigint[])",
)
# Not for ever: where no index helps, the planner may still use them.
AVOIDED = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")


def by_index(value: str) -> str:
    return "\n".join(f"ALTER FUNCTION {of} {value.format(name)};" for of in FUNCTIONS for name in AVOIDED)


def functions_anew():
    """What gathers, as it is written now, for data that were made with what it was before."""
    many_at_once = importlib.import_module("quota.migrations.0019_many_at_once")
    made = many_at_once.CALLS + many_at_once.HOLDS + many_at_once.EVENTS
    return made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


class Migration(migrations.Migration):
    dependencies = [("quota", "0026_bulk_actions")]

    operations = [
        migrations.RunSQL(functions_anew(), migrations.RunSQL.noop),
        migrations.RunSQL(by_index("SET {} = off"), by_index("RESET {}")),
    ]
