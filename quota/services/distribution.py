"""Shares out what grows with calls over the servers of a Citus cluster, by Team: `manage.py distribute`.

Whatever a call writes is then on the server of its Team: its hold, its event, the ids that gateways gave, the
buckets of its seat, and the Team's lots, ledger and months; and what is rolled up of it. All that is about
money is written there, in one transaction of one server. The coordinator keeps all else, such as keys, seats
and plans, locks what it locked before, and decides: the schema and the code are the same as on one server.

Three things differ, since a rule of many servers has to be a rule of each:

- What is unique names the Team, too. Ids come from one sequence or are random; months, buckets and the ids of
  gateways are a Team's anyway; and what a lot is granted for (`source`) is one Team's.
- No foreign key leads to or from these tables, but from one of them to another by the Team.
- How far usage is rolled up is on every server, since reports read it together with what is rolled up.

It is for trials: decision 92 names what does not work on a cluster yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from quota import servers
from quota.servers import EVERYWHERE, TABLES
from tokenplan.kit.transactions import LOCK_TIMEOUT_MS

# The same usage of seats, by statements of which each is about one Team.
_SEAT_USAGES = """
ALTER FUNCTION quota_seat_usages RENAME TO quota_seat_usages_at_once;
ALTER FUNCTION quota_seat_usages_one_by_one RENAME TO quota_seat_usages;
"""
# A wait for a lock on another server ends there, as one on the coordinator does.
_LIMIT_WORKERS = """
SELECT run_command_on_workers(
    format('ALTER ROLE CURRENT_USER IN DATABASE %%I SET lock_timeout = %%L', current_database(), %s::text)
)
"""
# Functions with statements about these tables: each is planned for the Team that it is about.
_PLANNED_EACH_TIME = """
SELECT format('ALTER FUNCTION %s SET plan_cache_mode = force_custom_plan', oid::regprocedure) FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND proname IN (
    'quota_call_state', 'quota_api_call_state', 'quota_reservation_state', 'quota_seat_usages', 'quota_owes',
    'quota_credits_of', 'quota_lock_credits', 'quota_usable_credits', 'quota_usable_balance',
    'quota_team_of_hold', 'quota_write_hold', 'quota_write_charge', 'quota_write_draws',
    'quota_used_in_buckets', 'quota_starts_of_buckets', 'quota_last_charge', 'quota_used_of_seat',
    'quota_used_then', 'quota_left_in_lots', 'quota_named_by_gateway', 'quota_is_used'
)
"""

_KEYS = """
SELECT c.oid, c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid)
FROM pg_constraint c
WHERE c.conrelid = ANY(%s::regclass[]) AND c.contype IN ('p', 'u') AND c.conparentid = 0
    AND NOT EXISTS (SELECT 1 FROM pg_attribute a
        WHERE a.attrelid = c.conrelid AND a.attname = 'team_id' AND a.attnum = ANY(c.conkey))
"""
_INDEXES = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
FROM pg_index i
WHERE (i.indrelid = ANY(%s::regclass[])
        OR i.indrelid IN (SELECT h.inhrelid FROM pg_inherits h WHERE h.inhparent = ANY(%s::regclass[])))
    AND i.indisunique AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)
    AND NOT EXISTS (SELECT 1 FROM pg_attribute a
        WHERE a.attrelid = i.indrelid AND a.attname = 'team_id' AND a.attnum = ANY(i.indkey))
"""
# All but those among the tables that name the Team on both sides.
_FOREIGN_KEYS = """
SELECT c.conrelid::regclass::text, c.conname FROM pg_constraint c
WHERE c.contype = 'f' AND c.conparentid = 0
    AND (c.conrelid = ANY(%s::regclass[]) OR c.confrelid = ANY(%s::regclass[]))
    AND NOT (c.conrelid = ANY(%s::regclass[]) AND c.confrelid = ANY(%s::regclass[])
        AND EXISTS (SELECT 1 FROM pg_attribute a
            WHERE a.attrelid = c.conrelid AND a.attname = 'team_id' AND a.attnum = ANY(c.conkey)))
"""
_ON_INSERT = """
SELECT t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t
WHERE t.tgrelid = ANY(%s::regclass[]) AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgtype & 4 <> 0
"""


class NoCluster(Exception):
    """The database is not the coordinator of a Citus cluster."""


def not_shared_out() -> list[str]:
    """The tables that grow with calls and are not shared out yet. Raises NoCluster."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')")
        if not cursor.fetchone()[0]:
            raise NoCluster
        cursor.execute("SELECT logicalrelid::regclass::text FROM pg_dist_partition WHERE partmethod = 'h'")
        shared = {name for (name,) in cursor.fetchall()}
    return [table for table in TABLES if table not in shared]


def detects_deadlocks() -> bool:
    """Whether Citus ends what it takes for deadlocks between servers. There are none, since all lock in one
    order; and what waits for ever otherwise ends by its own limit.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('citus.distributed_deadlock_detection_factor')::float > 0")
        (detects,) = cursor.fetchone()
        return bool(detects)


def distribute(say: Callable[[str], object]) -> None:
    """Share out the tables that are not, in one transaction; twice is the same as once. It writes each row
    anew, so nothing may call meanwhile. `say` is given each change, as a sentence for operators.

    Raises NoCluster.
    """
    due = not_shared_out()
    if not due:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '3s'")
        cursor.execute("SET LOCAL citus.enable_unsafe_triggers = on")
        cursor.execute("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
        cursor.execute(_FOREIGN_KEYS, [due] * 4)
        for table, name in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
            say(f"{table}: {name} is no longer checked by the database.")
        cursor.execute(_KEYS, [due])
        for _oid, table, name, made in cursor.fetchall():
            wider = made.replace(")", ", team_id)", 1)
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}", ADD CONSTRAINT "{name}" {wider}')
            say(f"{table}: {name} is {wider}.")
        cursor.execute(_INDEXES, [due, due])
        for name, made in cursor.fetchall():
            cursor.execute(f"DROP INDEX {name}")
            cursor.execute(made.replace(")", ", team_id)", 1))
            say(f"{name} has the Team in it.")
        with _writing_nothing_else(cursor, due):
            for table in due:
                with_others = None if table == TABLES[0] else TABLES[0]
                cursor.execute(
                    "SELECT create_distributed_table(%s, 'team_id', colocate_with => %s)",
                    [table, with_others or "none"],
                )
                say(f"{table} is shared out by Team.")
        for table in EVERYWHERE:
            cursor.execute("SELECT create_reference_table(%s)", [table])
            say(f"{table} is on every server.")
        cursor.execute(_SEAT_USAGES)
        _plan_each_time(cursor)
        cursor.execute(_LIMIT_WORKERS, [f"{LOCK_TIMEOUT_MS}ms"])
    servers.are_many.cache_clear()


def follow_migrations() -> None:
    """Where calls are shared out: have functions that were made anew since planned as they were. By a plan
    for any Team Citus finds no server, and they fail.
    """
    with contextlib.suppress(NoCluster):
        if len(not_shared_out()) < len(TABLES):
            with connection.cursor() as cursor:
                _plan_each_time(cursor)


def _plan_each_time(cursor: CursorWrapper) -> None:
    cursor.execute(_PLANNED_EACH_TIME)
    for (statement,) in cursor.fetchall():
        cursor.execute(statement)


@contextlib.contextmanager
def _writing_nothing_else(cursor: CursorWrapper, tables: list[str]) -> Iterator[None]:
    """What a row of these brings about when it is written has happened, and does not again where it goes."""
    cursor.execute(_ON_INSERT, [tables])
    triggers = cursor.fetchall()
    for table, name, _made in triggers:
        cursor.execute(f"DROP TRIGGER {name} ON {table}")
    yield
    for _table, _name, made in triggers:
        cursor.execute(made)
