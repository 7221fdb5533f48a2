"""`/readyz` says whether all that this process needs is there, or what is not.

Each check runs beside the requests, on a connection of its own, so that it takes no thread and no connection
from them, and tells the truth while all of these are taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from django.db import connection as django_connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from teams.services.key_roots import MISSING_ROOTS, missing_roots_parameters
from tokenplan.celery import app
from tokenplan.web.watches import Watch

log = logging.getLogger(__name__)

OK = "ok"
DATABASE_AWAY = "PostgreSQL does not answer"
BROKER_AWAY = "the broker does not answer"
# `/readyz` answers within a second, whatever hangs.
ANSWER_SECONDS = 0.8
# Without these no request can be answered. Without the others, requests are answered and only sweeps wait.
REQUIRED = ("database", "migrations", "key_roots")

Checks = dict[str, str]


class Health:
    """What is known of the database and the broker."""

    def __init__(self) -> None:
        self._database_check = DatabaseCheck()
        self._database = Watch(self._database_check, fresh_seconds=1)
        self._broker = Watch(check_broker, fresh_seconds=5)

    def close(self) -> None:
        """Closes what it keeps open."""
        self._database_check.close()

    async def readiness(self) -> tuple[int, dict[str, Any]]:
        """200 when requests can be answered, else 503; each check says `ok` or what is missing."""
        database, broker = await asyncio.gather(
            self._database.found(within=ANSWER_SECONDS), self._broker.found(within=ANSWER_SECONDS)
        )
        checks = {**(database or no_database()), **(broker or no_broker())}
        ready = all(checks[name] == OK for name in REQUIRED)
        return (200 if ready else 503), {"ready": ready, "checks": checks}


def no_database() -> Checks:
    unknown = f"unknown: {DATABASE_AWAY}"
    return {"database": DATABASE_AWAY, "migrations": unknown, "key_roots": unknown}


def no_broker() -> Checks:
    return {"broker": BROKER_AWAY, "worker": f"unknown: {BROKER_AWAY}"}


class DatabaseCheck:
    """Asks the database, on a connection that it keeps."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[Any] | None = None
        self._migrated = False

    def __call__(self) -> Checks:
        """What the database says."""
        try:
            connection = self._connected()
            connection.execute("SELECT 1")
            migrations = self._migrations(connection)
            key_roots = missing_key_roots(connection) if migrations == OK else f"unknown: {migrations}"
        except psycopg.Error as error:
            log.warning("Not ready, PostgreSQL does not answer: %s", error)
            self.close()
            return no_database()
        return {"database": OK, "migrations": migrations, "key_roots": key_roots}

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            # Where the machine of the database is gone without a word, the operating system notices it.
            patience = {"tcp_user_timeout": 5000, "keepalives_idle": 5}
            parameters = {**django_connection.get_connection_params(), **patience}
            self._connection = psycopg.connect(**parameters, autocommit=True)
        return self._connection

    def close(self) -> None:
        """Closes the connection; the next check makes another."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None

    def _migrations(self, connection: psycopg.Connection[Any]) -> str:
        # What was applied stays applied as long as this process runs.
        if not self._migrated:
            missing = missing_migrations(connection)
            if missing:
                return f"{missing} not applied; run manage.py migrate"
            self._migrated = True
        return OK


def missing_migrations(connection: psycopg.Connection[Any]) -> int:
    """How many migrations of this version the database lacks."""
    there = connection.execute("SELECT to_regclass('django_migrations') IS NOT NULL").fetchone()
    applied = set()
    if there and there[0]:
        applied = {(app, name) for app, name in connection.execute("SELECT app, name FROM django_migrations")}
    return len(MigrationLoader(None, ignore_no_migrations=True).disk_migrations.keys() - applied)


def missing_key_roots(connection: psycopg.Connection[Any]) -> str:
    """Whether this process has the secrets that the Subscription Keys were made with."""
    found = connection.execute(MISSING_ROOTS, missing_roots_parameters(at=timezone.now())).fetchall()
    names = ", ".join(name for name, _ in found)
    return f"{names} not configured, so its keys cannot work; run manage.py key_roots" if found else OK


def check_broker() -> Checks:
    """Whether the broker can be reached, and a worker answers through it."""
    try:
        with app.connection_for_write(connect_timeout=1) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=1)
        answers = app.control.broadcast("active_queues", reply=True, timeout=0.5) or []
    except (BrokerError, OSError):
        return no_broker()
    return {"broker": OK, "worker": unread_queues(answers)}


def unread_queues(answers: Iterable[Mapping[str, Any]]) -> str:
    """`ok` when each queue has a worker that reads it; else which have none."""
    read = {queue["name"] for answer in answers for queues in answer.values() for queue in queues}
    unread = sorted(queue.name for queue in app.conf.task_queues if queue.name not in read)
    if not unread:
        return OK
    return f"no worker reads {', '.join(unread)}: these wait; run celery -A tokenplan worker"
