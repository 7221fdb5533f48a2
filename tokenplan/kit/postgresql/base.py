"""The backend itself; Django looks for it in a module of this name."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from django.db.backends.postgresql import base

if TYPE_CHECKING:
    import psycopg


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that the server has ended while it waited in the pool, as in a restart, is left out.

    The pool's own check is a round trip for every request, a tenth of the hot path. Here the socket is asked:
    on a connection that waits the server says nothing, unless it ends it.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        pool = self.pool  # type: ignore[attr-defined]  # not in the stubs
        while pool and has_ended(connection):
            connection.close()  # so the pool drops it instead of keeping it for the next
            pool.putconn(connection)
            connection = super().get_new_connection(conn_params)
        return connection

    def _configure_connection(self, connection: psycopg.Connection[Any]) -> bool:
        """Django and its pool call it once for each connection that is opened."""
        super()._configure_connection(connection)  # type: ignore[misc]  # not in the stubs
        connection.prepare_threshold = 0 if leads_to_the_server(connection) else None
        return True  # a transaction may be open, which Django ends

    def close_if_unusable_or_obsolete(self) -> None:
        """Django calls it before and after each request and task, and leaves an open transaction alone. One
        whose connection has ended is none any more: whoever left it open, the thread goes on.
        """
        if self.in_atomic_block and (self.connection is None or self.connection.closed):
            self.run_on_commit = []
            self.savepoint_ids = []
            self.atomic_blocks = []
            self.in_atomic_block = self.needs_rollback = self.closed_in_transaction = False
            self.close()
        super().close_if_unusable_or_obsolete()


def leads_to_the_server(connection: psycopg.Connection[Any]) -> bool:
    """Whether no pooler stands between, such as PgBouncer: it hands out process numbers of its own, and may
    give each transaction another session.
    """
    with connection.cursor() as cursor:
        row = cursor.execute("SELECT pg_backend_pid()").fetchone()
    return bool(row and row[0] == connection.info.backend_pid)


def has_ended(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has said something on a connection that nobody uses: it has ended, or soon will."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
