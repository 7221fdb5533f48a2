"""What can be shared out over several servers, and whether it is (`quota.services.distribution`)."""

from __future__ import annotations

from functools import lru_cache

from django.db import connection

# What calls write, in this order, since a lot is of a Team with a row of Credits, and an entry of a lot.
TABLES = (
    "quota_requestid",
    "quota_eventid",
    "quota_reservation",
    "quota_usageevent",
    "quota_usagebucket",
    "quota_teamcredits",
    "quota_creditgrant",
    "quota_creditledgerentry",
    "quota_creditmonth",
    "quota_apikeymonth",
    "quota_owedusage",
)


@lru_cache(maxsize=1)
def are_many() -> bool:
    """Asked once a process. Then a statement about the rows of many Teams is one for each server, and a batch
    of many Teams is not one transaction of one server any more.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('pg_dist_partition') IS NOT NULL")
        (is_cluster,) = cursor.fetchone()
        if not is_cluster:
            return False
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_dist_partition"
            " WHERE logicalrelid = 'quota_reservation'::regclass)"
        )
        (are_many,) = cursor.fetchone()
        return bool(are_many)
