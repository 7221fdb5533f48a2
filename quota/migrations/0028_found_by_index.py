"""What decides about calls finds its rows by an index, whatever the planner believes of the tables.

It plans these statements once for each connection, without their values, from statistics that may be of yesterday: tables that
it takes for small it reads whole, and events of a day it joins whole to the holds of a batch. A batch asks for few rows, each
by its id, so the right plan never depends on statistics. Here the functions are made anew, for data that were made before
their text said so.
"""

import importlib

from django.db import migrations

FUNCTIONS = {
    "0003_states_of_calls": ("quota_memberships_of_one_person", "quota_usable_credits"),
    "0006_pay_as_you_go": ("quota_api_text_works", "quota_usable_balance"),
    "0014_gathering": ("quota_write_holds",),
    "0015_usage_bars": ("quota_usage_bars",),
    "0019_many_at_once": (
        *("quota_call_states", "quota_gather_calls", "quota_gather_holds", "quota_lease_works"),
        *("quota_gather_events", "quota_write_charges"),
    ),
    "0020_usage_around_a_moment": ("quota_seat_usages",),
    "0025_the_clock_after_the_locks": ("quota_call_state", "quota_api_call_state", "quota_reservation_state"),
}


def functions_anew():
    for name, functions in FUNCTIONS.items():
        module = importlib.import_module(f"quota.migrations.{name}")
        made = "".join(text for text in vars(module).values() if isinstance(text, str))
        for function in functions:
            begin = made.index(f"CREATE FUNCTION {function}(")
            yield made[begin : made.index("$$;", begin) + 3].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


class Migration(migrations.Migration):
    dependencies = [("quota", "0027_findings_name_what_they_are_about")]

    operations = [migrations.RunSQL("\n".join(functions_anew()), migrations.RunSQL.noop)]
