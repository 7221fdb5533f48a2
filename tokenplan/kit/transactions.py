"""How a service writes: in one transaction that waits briefly for a lock; constraints have the last word."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet

from tokenplan.kit.errors import Refusal
from tokenplan.kit.replica import go_to_primary

M = TypeVar("M", bound=Model)
Row = TypeVar("Row")

# How long the database lets anything take, in milliseconds. A service sets them for its own transaction; what
# sets none (a page that only reads, the admin, a command) has those of the role: `limit_role`. The functions
# of the hot path, which save the round trip, have such limits written in them. But a statement is timed by
# what holds when it begins: the one that calls the function has the role's, those after it the function's.
LOCK_TIMEOUT_MS = 3000
IDLE_TIMEOUT_MS = 60_000
STATEMENT_TIMEOUT_MS = 30_000
SWEEP_STATEMENT_TIMEOUT_MS = 300_000  # for sweeps, whose statements go through many rows
LIMITS_OF_ROLE = {
    "lock_timeout": LOCK_TIMEOUT_MS,
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": IDLE_TIMEOUT_MS,
}


@contextmanager
def one_transaction(
    *, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS, reads_from: str = DEFAULT_DB_ALIAS
) -> Iterator[None]:
    """Everything inside is written, or nothing. Also a decorator; inside a transaction it joins that one.
    `reads_from` is for what only reads, in one snapshot.

    Waiting more than 3 s for a lock raises OperationalError, which interfaces answer as `unavailable`; so
    does a statement that takes too long, and the database ends a transaction whose process sits still in it.
    """
    if reads_from == DEFAULT_DB_ALIAS:
        go_to_primary(to_write=True)
    with transaction.atomic(using=reads_from):
        with connections[reads_from].cursor() as cursor:
            # LOCAL ends with the transaction, so the next user of a pooled connection is not affected.
            cursor.execute(
                f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS};"
                f"SET LOCAL statement_timeout = {statement_timeout_ms};"
                f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}"
            )
        yield


def write_alone(model: type[Model]) -> None:
    """Until the transaction ends nobody else writes to this table; whoever only reads it does not wait. For
    tables that are written rarely, where two new rows may be wrong together: they would not see each other,
    and by an exclusion constraint each would wait for the other, which is a deadlock.
    """
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(f"LOCK TABLE {model._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")


# Rows that are in memory at once, where all of a query are read.
ROWS_AT_ONCE = 1000


def streamed(rows: QuerySet[M, Row]) -> Generator[Row, None, None]:
    """The rows, by one query and in constant memory however many they are: they are read as they are taken,
    and until then a transaction is open. Whoever takes them may not wait for somebody meanwhile, and closes
    this where reading anything else between them may fail.
    """
    with one_transaction(reads_from=rows.db):
        # `iterator()` would keep a cursor open beyond a transaction, so settings forbid it one.
        yield from rows._iterator(use_chunked_fetch=True, chunk_size=ROWS_AT_ONCE)  # type: ignore[attr-defined]


# Of what another server of a cluster refuses only the words arrive: the name has the number of a part in it.
_OF_ANOTHER_SERVER = re.compile(r'constraint "(\w+?)_\d{6,}"')
_OF_ROLE = """
SELECT split_part(one, '=', 1), split_part(one, '=', 2) FROM pg_db_role_setting, unnest(setconfig) AS one
WHERE setrole = (SELECT oid FROM pg_roles WHERE rolname = %s) AND setdatabase = (
    SELECT oid FROM pg_database WHERE datname = current_database()
)
"""


def limit_role(connection: BaseDatabaseWrapper, role: str | None = None) -> None:
    """Whoever connects to this database as the role, from now on, has LIMITS_OF_ROLE until they set others.
    None: the role that the connection has itself.

    A setting of the role, since one of a session would be lost, or become somebody else's, behind PgBouncer.
    Raises ProgrammingError for another role where this one may not change it, or there is none such.
    """
    with connection.cursor() as cursor:
        if role is None:
            cursor.execute("SELECT current_user")
            (role,) = cursor.fetchone()
        cursor.execute(_OF_ROLE, [role])
        there = dict(cursor.fetchall())
        for name, milliseconds in LIMITS_OF_ROLE.items():
            if there.get(name) == f"{milliseconds}ms":
                continue  # two who write the same row at once refuse each other
            cursor.execute(
                "SELECT format('ALTER ROLE %%I IN DATABASE %%I SET %%I = %%L',"
                " %s::text, current_database(), %s::text, %s::text)",
                [role, name, f"{milliseconds}ms"],
            )
            cursor.execute(cursor.fetchone()[0])


@contextmanager
def refused_by(**refusals: type[Refusal]) -> Iterator[None]:
    """A write that breaks a constraint named here raises that refusal. Use it inside a transaction.

    The check before the write refuses in the common case; the constraint refuses when two writers checked at
    the same time.
    """
    try:
        with transaction.atomic():  # a savepoint, so that the transaction around it lives on
            yield
    except IntegrityError as error:
        refusal = refusals.get(broken_constraint(error))
        if refusal is None:
            raise
        raise refusal() from error


def state_of(error: Exception) -> str:
    """The SQLSTATE of what the database refused, or "" where it said nothing."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def broken_constraint(error: IntegrityError) -> str:
    """The name of the constraint, or "" where the database names none."""
    diagnosis = getattr(error.__cause__, "diag", None)
    if named := getattr(diagnosis, "constraint_name", None):
        return str(named)
    of_a_part = _OF_ANOTHER_SERVER.search(getattr(diagnosis, "message_primary", None) or "")
    return of_a_part[1] if of_a_part else ""
