"""On a cluster: what calls wrote, brought to where people, seats and plans are.

A check is about charges and people at once, which no server of a cluster has together. So before it the rows
of calls that it may read are copied to the coordinator, into temporary tables of the same names, which are
found first: the check itself is the same. Of one Team all rows come from one server, which the caller asks by
one connection in one snapshot (`quota.servers.ask_each_by_one_connection`), so they agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from quota import servers

_TABLE = re.compile(r"\b(?:quota|teams|billing)_\w+")
_SLICE = "id > %(after)s AND id <= %(upto)s"
_AROUND = """occurred_at >= (SELECT min(t) FROM unnest(%(since)s::timestamptz[]) AS t) - interval '62 days'
    AND occurred_at < (SELECT max(t) FROM unnest(%(until)s::timestamptz[]) AS t) + interval '62 days'"""

# By what a check is about: of each table, which rows it may read.
_OF_CALLS = {
    "quota_usageevent": "id = ANY(%(events)s) OR id = ANY(%(corrected)s) OR reservation_id = ANY(%(holds)s)",
    "quota_reservation": "id = ANY(%(holds)s) OR id = ANY(%(holds_of_events)s)",
    "quota_creditledgerentry": "event_id = ANY(%(events)s)",
    "quota_owedusage": "event_id = ANY(%(events)s) OR event_id = ANY(%(corrected)s)"
    " OR event_id > %(after)s AND event_id <= %(upto)s",
    "quota_eventid": "external_id = ANY(%(external_ids)s)",
    "quota_requestid": "request_id = ANY(%(request_ids)s)",
}
_OF_ENTRIES = {
    "quota_creditledgerentry": _SLICE,
    "quota_creditgrant": "id = ANY(%(lots)s)",
    "quota_usageevent": "id = ANY(%(events)s)",
}
_HELD = "state = 'held' AND holds_until > %(at)s AND (from_credits_nanousd > 0 OR from_balance_nanousd > 0)"
_OF_HOLDS_NOW = {
    "quota_reservation": _HELD,
    "quota_creditgrant": "team_id = ANY(%(teams)s)",
    "quota_creditledgerentry": "team_id = ANY(%(teams)s)",
}
_OF_SUMS = {
    "quota_usageevent": "(seat_id = ANY(%(ids)s) OR membership_id = ANY(%(ids)s)"
    f" OR api_key_id = ANY(%(ids)s)) AND {_AROUND}",
    "quota_usagebucket": "seat_id = ANY(%(ids)s) OR seat_id = ANY(%(whole)s)",
    "quota_creditmonth": "membership_id = ANY(%(ids)s)",
    "quota_apikeymonth": "api_key_id = ANY(%(ids)s)",
    "quota_creditgrant": "id = ANY(%(ids)s)",
    "quota_creditledgerentry": "grant_id = ANY(%(ids)s)",
    "quota_usagestraggler": "true",
    "quota_usagerollup": "membership_id = ANY(%(ids)s)",
    "quota_tagrollup": "membership_id = ANY(%(ids)s)",
}


@contextmanager
def copied_for(sql: str, values: Mapping[str, Any]) -> Iterator[None]:
    """Until it ends the statement reads copies, where it is about some rows of more than one table and one of
    these is on other servers.
    """
    named = set(_TABLE.findall(sql))
    shared = sorted(named & set(servers.TABLES))
    if not shared or not values or len(named) == 1 or not servers.are_many():
        yield
        return
    rows, of = _which(values)
    with transaction.atomic(), connection.cursor() as cursor:
        for table in shared:
            from_there = f"SELECT * FROM public.{table} WHERE {rows[table]}"  # noqa: S608
            cursor.execute(f"CREATE TEMPORARY TABLE {table} AS {from_there}", of)
            if table == "quota_creditgrant":  # which checks group by
                cursor.execute("ALTER TABLE pg_temp.quota_creditgrant ADD PRIMARY KEY (id)")
        yield
        for table in shared:
            cursor.execute(f"DROP TABLE pg_temp.{table}")


def _which(values: Mapping[str, Any]) -> tuple[Mapping[str, str], dict[str, Any]]:
    if "ids" in values:
        return _OF_SUMS, dict(values)
    if isinstance(values.get("after"), int):
        entries = _read("SELECT grant_id, event_id FROM quota_creditledgerentry WHERE ", _SLICE, values)
        lots, events_of_entries = ([*({row[n] for row in entries} - {None})] for n in (0, 1))
        return _OF_ENTRIES, {**values, "lots": lots, "events": events_of_entries}
    if "at" in values:
        teams = _read("SELECT DISTINCT team_id FROM quota_reservation WHERE ", _HELD, values)
        return _OF_HOLDS_NOW, {**values, "teams": [team_id for (team_id,) in teams]}
    nothing = UUID(int=0)
    of = {"after": nothing, "upto": nothing, **values}
    which = "id = ANY(%(events)s)" if "events" in values else _SLICE
    calls = _read(
        "SELECT id, corrects_id, reservation_id, external_id FROM quota_usageevent WHERE ", which, of
    )
    holds = _read("SELECT id, request_id FROM quota_reservation WHERE ", _SLICE, of)
    events, corrected, holds_of_events, external = ([*({row[n] for row in calls} - {None})] for n in range(4))
    return _OF_CALLS, {
        **of,
        "events": events,
        "corrected": corrected,
        "holds_of_events": holds_of_events,
        "external_ids": external,
        "holds": [id for id, _ in holds],
        "request_ids": [request_id for _, request_id in holds],
    }


def _read(sql: str, which: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql + which, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
