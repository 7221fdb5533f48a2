"""A test database that is shared out over a Citus cluster. `CITUS_URL` names a database of its coordinator,
which knows the other servers; the role may make databases on all of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from django.db import connection

from quota import servers
from quota.hot_path.catalog import plan_terms, rate_card
from quota.servers import TABLES
from quota.services.distribution import distribute

NOT_NAMED = "CITUS_URL names no coordinator of a Citus cluster"
TEAM_STAYS = "On a cluster a row's Team says where the row is, and is not changed"
# What the sessions of all servers do.
ACTIVITY = "citus_stat_activity" if os.environ.get("CITUS_URL") else "pg_stat_activity"
# Beside a test that is about rows that one server takes together.
not_on_a_cluster = pytest.mark.skipif(
    bool(os.environ.get("CITUS_URL")), reason="On a cluster calls go one by one."
)


def is_named() -> bool:
    """Whether this run is on a cluster."""
    return bool(os.environ.get("CITUS_URL"))


def share_out_test_database() -> None:
    """The test database, which is migrated, is one of the cluster from here on, if it is not already."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')")
        if cursor.fetchone()[0]:
            return
    nodes = _nodes()
    for host, port, is_worker in nodes:
        if is_worker:
            with _at(host, port, "postgres") as server:
                server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                server.execute(f'CREATE DATABASE "{name}"')
            with _at(host, port, name) as server:
                server.execute("CREATE EXTENSION citus")
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION citus")
        for host, port, is_worker in nodes:
            add = "citus_add_node" if is_worker else "citus_set_coordinator_host"
            cursor.execute(f"SELECT {add}(%s, %s)", [host, port])
    distribute(lambda _line: None)


@contextmanager
def another_database() -> Iterator[None]:
    """Until it ends all is about a database of the coordinator that has been migrated and is not shared out;
    in a test that commits.
    """
    at_hand: Any = connection
    usual, template = at_hand.settings_dict["NAME"], at_hand.settings_dict["TEST"]["TEMPLATE"]
    name = f"{usual}_anew"
    _run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    _run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    _use(name)
    try:
        yield
    finally:
        drop_on_workers()
        _use(usual)
        _run(f'DROP DATABASE "{name}" WITH (FORCE)')


def _use(name: str) -> None:
    """The ids there are others than those that this process has read by."""
    at_hand: Any = connection
    at_hand.close()
    at_hand.close_pool()
    at_hand.settings_dict["NAME"] = name
    for read_once in (servers.are_many, plan_terms, rate_card):
        read_once.cache_clear()


def _run(sql: str) -> None:
    with psycopg.connect(os.environ["CITUS_URL"], autocommit=True) as coordinator:
        coordinator.execute(sql)


def drop_on_workers() -> None:
    """Of the test database, what is on the servers that share it."""
    name = connection.settings_dict["NAME"]
    for host, port, is_worker in _nodes():
        if is_worker:
            with _at(host, port, "postgres") as server:
                server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def empty() -> None:
    """All tables that are shared out, whose rows may not be deleted one by one."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(TABLES)}")


def allow_changes_of_triggers() -> None:
    """By this connection; a test plants faults behind them."""
    if is_named():
        with connection.cursor() as cursor:
            cursor.execute("SET citus.enable_unsafe_triggers = on")


def _nodes() -> list[tuple[str, int, bool]]:
    with psycopg.connect(os.environ["CITUS_URL"]) as coordinator:
        rows = coordinator.execute(
            "SELECT nodename, nodeport, groupid <> 0 FROM pg_dist_node ORDER BY groupid"
        )
        return [(host, port, is_worker) for host, port, is_worker in rows]


@contextmanager
def _at(host: str, port: int, name: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(
        os.environ["CITUS_URL"], host=host, port=port, dbname=name, autocommit=True
    ) as server:
        yield server


@dataclass
class Asked:
    """What was asked of other servers: each statement about rows of calls, with the shards that it reads."""

    statements: list[str] = field(default_factory=list)

    def groups(self) -> list[set[int]]:
        """Of each statement: which of the groups of shards, by their lowest hash, that stand together."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT shardid, shardminvalue::int FROM pg_dist_shard")
            group = dict(cursor.fetchall())
        # A table that is on every server has no hash.
        return [
            {group[int(shard)] for shard in _SHARD.findall(statement)} - {None}
            for statement in self.statements
        ]


_SHARD = re.compile(r"quota_\w+?_(\d{6,})\b")


@contextmanager
def asked_of_servers() -> Iterator[Asked]:
    """What this connection asks of the cluster's servers meanwhile."""
    asked = Asked()

    def note(notice: psycopg.errors.Diagnostic) -> None:
        if (text := notice.message_primary or "").startswith("issuing ") and _SHARD.search(text):
            asked.statements.append(text)

    with connection.cursor() as cursor:
        cursor.execute("SET citus.log_remote_commands = on")
    session: Any = connection.connection
    session.add_notice_handler(note)
    try:
        yield asked
    finally:
        session.remove_notice_handler(note)
        with connection.cursor() as cursor:
            cursor.execute("RESET citus.log_remote_commands")
