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
    "quota_usagestraggler",
    "quota_usagerollup",
    "quota_tagrollup",
)
# What each of the servers has, since a statement about one Team reads it, too.
EVERYWHERE = ("quota_usagewatermark",)


def ask_each_by_one_connection() -> None:
    """Until the transaction ends, all that is asked of a server of many is asked by one connection: what is
    read there is of one snapshot, where the transaction has one, and what is written appears at one moment.
    """
    if are_many():
        with connection.cursor() as cursor:
            cursor.execute(
                "SET LOCAL citus.max_adaptive_executor_pool_size = 1;"
                "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"
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
