"""Django's command, which waits for no lock for long, and in which a statement may take as long as it takes.

A change of a table waits until everybody who reads it is done, and whoever comes meanwhile waits behind it:
one long report, and no call of a gateway is answered. So a migration that gets no lock within half a second
is undone, those behind it go on, and it is tried again (docs/decisions/0059).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, OperationalError, ProgrammingError, connections, transaction
from psycopg.errors import DeadlockDetected, LockNotAvailable

from quota.services.distribution import follow_migrations
from tokenplan.kit.transactions import LIMITS_OF_ROLE, limit_role

# Shorter than calls wait for a lock (a batch of them 1 s, one call 3 s), so that those behind a migration are
# answered late, and not refused.
LOCK_TIMEOUT_MS = 500
PAUSE_SECONDS = 5.0
# So often within five minutes.
TRIES = 50
ADDRESS = ("HOST", "PORT", "NAME", "USER", "PASSWORD")
BLOCKERS = """
SELECT pid, application_name, client_addr, extract(epoch FROM clock_timestamp() - xact_start), query
FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids(%s))
"""


class Command(migrate.Command):
    """Each migration is a transaction, or (where it says so itself) can be tried again."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrates; then whoever connects as this role, or as another one to read the replica, has the limits
        of this version.

        Raises CommandError where the database is reached through a pooler, and where there was no lock within
        TRIES tries: then it names who had it.
        """
        connection = connections[options["database"]]
        with connected_directly(connection):
            refuse_pooler(connection)
            with without_limits(connection):
                self._tried(connection, *args, **options)
        limit_role(connection)
        if connection.alias == DEFAULT_DB_ALIAS:
            self._limit_reader(connection)
            follow_migrations()

    def _limit_reader(self, connection: Any) -> None:
        """What is set for a role on the primary holds on its replica, too. Where another role may not be
        changed by ours, it is said what to do, and everything else goes on.
        """
        reader = settings.DATABASES.get("replica", {}).get("USER")
        if not reader or reader == connection.settings_dict["USER"]:
            return
        try:
            with transaction.atomic(using=connection.alias):
                limit_role(connection, reader)
        except ProgrammingError as error:
            self.stderr.write(
                f"The role {reader} of DATABASE_REPLICA_URL has no limits of ours: {str(error).strip()}\n"
                "As a role that may change it, on the primary: "
                + " ".join(
                    f'ALTER ROLE "{reader}" IN DATABASE "{connection.settings_dict["NAME"]}"'
                    f" SET {name} = '{milliseconds}ms';"
                    for name, milliseconds in LIMITS_OF_ROLE.items()
                )
            )

    def _tried(self, connection: Any, *args: Any, **options: Any) -> None:
        for left in reversed(range(TRIES)):
            with Watcher(connection) as watcher:
                try:
                    super().handle(*args, **options)
                except OperationalError as error:
                    if not isinstance(error.__cause__, (LockNotAvailable, DeadlockDetected)):
                        raise
                else:
                    return
            if not left:
                raise CommandError(f"No migration can be applied: {watcher.blocker}. Nothing is half done.")
            self.stderr.write(f"Waiting for a lock, tried again in {PAUSE_SECONDS:.0f} s: {watcher.blocker}")
            pause()


def pause() -> None:
    """Between two tries, in which those who waited behind the first are answered."""
    time.sleep(PAUSE_SECONDS)


class Watcher:
    """Sees who stands in the connection's way inside, by a connection of its own: afterwards nobody knows."""

    def __init__(self, connection: Any) -> None:
        self.blocker = "somebody held a lock for a moment"
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (self._pid,) = cursor.fetchone()
        self._parameters = {**connection.get_connection_params(), "cursor_factory": None}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="blockers", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            with psycopg.connect(**self._parameters, autocommit=True) as connection:
                while not self._done.wait(LOCK_TIMEOUT_MS / 5000):
                    if row := connection.execute(BLOCKERS, [self._pid]).fetchone():
                        self.blocker = said_of(*row)
        except psycopg.Error as error:
            self.blocker = f"who has the lock cannot be seen: {error}"


def said_of(pid: int, program: str, address: object, seconds: float | None, query: str) -> str:
    """A transaction that is in the way, in words: what to look for, and what to end if it must end."""
    where = f" from {address}" if address else ""
    began = "" if seconds is None else f", in a transaction for {seconds:.0f} s"
    shown = " ".join(query.split())[:200]
    return f"process {pid} ({program or 'without a name'}{where}){began} is in the way; its query: {shown}"


@contextmanager
def connected_directly(connection: Any) -> Iterator[None]:
    """Inside, the connection leads to DATABASE_DIRECT_URL, where there is one."""
    direct = settings.DIRECT_DATABASE
    if direct is None or connection.alias != DEFAULT_DB_ALIAS:
        yield
        return
    pooled = connection.settings_dict
    options = {**pooled["OPTIONS"], **direct.get("OPTIONS", {})}
    lead(connection, {**pooled, **{name: direct[name] for name in ADDRESS}, "OPTIONS": options})
    try:
        yield
    finally:
        lead(connection, pooled)


def lead(connection: Any, settings_dict: dict[str, Any]) -> None:
    """The connection's next statement goes to the database of these settings."""
    connection.close()
    connection.close_pool()
    connection.settings_dict = settings_dict


def refuse_pooler(connection: Any) -> None:
    """Raises CommandError where a pooler stands before the database: what is set for a session would stay
    with whoever gets that session next. A pooler hands out process numbers of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    if connection.connection.info.backend_pid != pid:
        raise CommandError(
            "DATABASE_URL leads to a pooler, such as PgBouncer. Migrations need PostgreSQL itself: set"
            " DATABASE_DIRECT_URL to its address."
        )


@contextmanager
def without_limits(connection: Any) -> Iterator[None]:
    """Inside, a statement may take as long as it takes, but it waits for no lock for long: an index of a
    large table is no runaway query.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET lock_timeout = {LOCK_TIMEOUT_MS}; SET statement_timeout = 0;"
            " SET idle_in_transaction_session_timeout = 0"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute(
            "RESET lock_timeout; RESET statement_timeout; RESET idle_in_transaction_session_timeout"
        )
