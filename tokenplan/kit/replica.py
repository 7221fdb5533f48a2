"""Where a page reads: the primary, or a replica that is a moment behind it (docs/decisions/0065).

Everything is written on the primary, and whatever decides reads there: a request reads from the replica only
inside of `reading`, and there until its first write. Settings name `Router` among DATABASE_ROUTERS.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

logger = logging.getLogger(__name__)

REPLICA = "replica"
# Whoever is signed out, or has another password, is so at once.
OF_SIGN_IN = {"account", "django_cache", "mfa", "sessions", "usersessions"}


@dataclass
class Reads:
    """Where this request reads from now on, and whether it has written."""

    alias: str
    wrote: bool = False


_of_request: ContextVar[Reads | None] = ContextVar("reads", default=None)


@contextmanager
def reading(alias: str) -> Iterator[Reads]:
    """Inside, what is read is read there, until the first write."""
    reads = Reads(alias)
    token = _of_request.set(reads)
    try:
        yield reads
    finally:
        _of_request.reset(token)


def reads_from() -> str:
    """The alias of the database that is read now; for a generator, which may run elsewhere."""
    reads = _of_request.get()
    return reads.alias if reads else DEFAULT_DB_ALIAS


def reading_connection() -> BaseDatabaseWrapper:
    """For a selector's own SQL."""
    return connections[reads_from()]


def go_to_primary(*, to_write: bool = False) -> None:
    """From here on the request reads there, and so what it writes."""
    if reads := _of_request.get():
        reads.alias = DEFAULT_DB_ALIAS
        reads.wrote |= to_write


class Router:
    """Django asks it for each query of the ORM."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        if model._meta.app_label in OF_SIGN_IN or model is get_user_model():
            return DEFAULT_DB_ALIAS
        return reads_from()

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        go_to_primary(to_write=True)
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True  # both are of one database, whichever of the two they were read from

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS


# A position in the primary's log; what was written before it can be read where the log was replayed so far.
POSITION = re.compile(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}", re.ASCII)
NO_POSITION = "0/0"
LAST_POSITION = "FFFFFFFF/FFFFFFFF"  # of what cannot be asked: no replica will have replayed it
# Seconds for which a replica that does not answer is not asked again.
AWAY_SECONDS = 10
# Its last transaction may be long ago where nothing happens; then nothing is too much for the primary either.
IS_NEAR = """
SELECT pg_is_in_recovery()
    AND pg_last_xact_replay_timestamp() > clock_timestamp() - make_interval(secs => %s)
    AND pg_last_wal_replay_lsn() >= %s::pg_lsn
"""


def position() -> str:
    """Where the primary's log ends now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
        (position,) = cursor.fetchone()
    return str(position)


class Nearness:
    """Whether the replica may be read, for one process."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._away_until = 0.0

    def is_near(self, position: str, failures: tuple[type[Exception], ...]) -> bool:
        """Whether it is less than `seconds` behind and has all that was written before the position. Not
        where it raises one of `failures`: then it is not asked for 10 s.
        """
        if time.monotonic() < self._away_until:
            return False
        try:
            with connections[REPLICA].cursor() as cursor:
                cursor.execute(IS_NEAR, [self._seconds, position])
                (is_near,) = cursor.fetchone()
        except failures as error:
            self.note_away(error)
            return False
        return bool(is_near)

    def note_away(self, error: BaseException) -> None:
        """It does not answer."""
        self._away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("Pages read from the primary: the replica does not answer: %s", error)
