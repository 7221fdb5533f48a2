"""The rows of all tables at a moment: which tables have changed since, and all of them as they were."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from tests.helpers import citus
from tests.helpers.databases import MIGRATED

# Where a person is signed in and when they were last seen, and how often an address was tried: each request
# writes these for itself, whatever becomes of the rest.
OF_REQUESTS = {"django_session", "usersessions_usersession", "tokenplan_cache"}


@dataclass
class SavedRows:
    """Through a connection of its own, whose role may leave triggers out."""

    connection: psycopg.Connection[Any]
    rows: dict[str, bytes] = field(default_factory=dict)
    sums: dict[str, Any] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def save(self) -> None:
        """From here on changes are counted, and taken back, from what there is now."""
        names = self.connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND relname <> ALL(%s)",
            [list(MIGRATED)],
        )
        self.rows = {}
        for (name,) in names.fetchall():
            with self.connection.cursor().copy(_sql("COPY {} TO STDOUT", name)) as copy:
                self.rows[name] = b"".join(bytes(part) for part in copy)
        self.sums = self._sums()

    def changed(self) -> set[str]:
        """The tables, partitions each for itself, whose rows are others than they were, but for
        OF_REQUESTS. `restore` takes back what this has seen.
        """
        now = self._sums()
        self._seen = {name for name, before in self.sums.items() if now[name] != before}
        return self._seen - OF_REQUESTS

    def taken_back(self) -> set[str]:
        """What has changed, which is as it was again."""
        changed = self.changed()
        self.restore()
        return changed

    def restore(self) -> None:
        """All rows as they were, whatever triggers say."""
        self.changed()
        if not self._seen:
            return
        with self.connection.transaction():
            if citus.is_named():  # for its other servers, too
                self.connection.execute("SET LOCAL citus.propagate_set_commands = 'local'")
            self.connection.execute("SET LOCAL session_replication_role = replica")
            for name in self._seen:
                self.connection.execute(_sql("DELETE FROM {}", name))
                with self.connection.cursor().copy(_sql("COPY {} FROM STDIN", name)) as copy:
                    copy.write(self.rows[name])

    def _sums(self) -> dict[str, Any]:
        """Of each table a number that no order of its rows changes."""
        sums = [
            _sql("SELECT count(*), sum(hashtextextended(r::text, 0)) FROM {} r", name) for name in self.rows
        ]
        all_of_them = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, ({})::text").format(name, sql.SQL("SELECT s::text FROM ({}) s").format(one))
            for name, one in zip(self.rows, sums, strict=True)
        )
        return dict(self.connection.execute(all_of_them, prepare=True).fetchall())


def _sql(text: str, table: str) -> sql.Composed:
    return sql.SQL(text).format(sql.Identifier(table))
