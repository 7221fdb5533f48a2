"""Keeps the objects: one SQLite file, or memory. It holds a development double's data, never ours.

A request is one transaction; requests are worked one after the other.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import string
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tokenplan.local_stripe.objects.errors import Missing, Object

LETTERS = string.ascii_letters + string.digits
SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, id));
"""


class Store:
    """Objects by their `object` and `id`. What is read is a copy; `save` makes a change last."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        if path is not None:
            path.touch(mode=0o600)
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.executescript(SCHEMA)
        self._random = secrets.SystemRandom()
        # Where people reach the server; the addresses in objects begin with it.
        self.base = ""

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else does anything meanwhile."""
        with self._lock:
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one at a time. Inside of another one it is a part of that."""
        with self._lock:
            if self._depth:
                yield
                return
            self._depth = 1
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException as error:
                self._db.execute("COMMIT" if getattr(error, "kept", False) else "ROLLBACK")
                raise
            else:
                self._db.execute("COMMIT")
            finally:
                self._depth = 0

    def new_id(self, prefix: str) -> str:
        """Such as `cus_9s6XKzkNRiz8i3`."""
        return prefix + "_" + "".join(self._random.choices(LETTERS, k=14))

    def save(self, row: Object) -> Object:
        """Adds it, or replaces the one with its id. Returns it."""
        with self._lock:
            self._db.execute(
                "INSERT INTO objects (kind, id, body) VALUES (?, ?, ?)"
                " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (row["object"], row["id"], json.dumps(row)),
            )
        return row

    def remove(self, kind: str, id: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, id))

    def find(self, kind: str, id: str) -> Object | None:
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM objects WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def get(self, kind: str, id: str, param: str = "id") -> Object:
        """Raises Missing, which names `param`."""
        found = self.find(kind, id)
        if found is None:
            raise Missing(kind, id, param)
        return found

    def kinds(self) -> list[str]:
        """Of which kinds there are any."""
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT DISTINCT kind FROM objects ORDER BY kind")]

    def since(self, kind: str, after: int) -> list[tuple[int, Object]]:
        """Those that were new after that number, the oldest first, each with its own."""
        query = "SELECT seq, body FROM objects WHERE kind = ? AND seq > ? ORDER BY seq"
        with self._lock:
            return [(seq, json.loads(body)) for seq, body in self._db.execute(query, (kind, after))]

    def all(self, kind: str, **fields: Any) -> list[Object]:
        """The newest first. `fields` must be equal; `__` goes into an object: `parent__type="x"`."""
        wheres, values = ["kind = ?"], [kind]
        for name, value in fields.items():
            wheres.append(f"json_extract(body, '$.{name.replace('__', '.')}') IS ?")
            values.append(value)
        query = f"SELECT body FROM objects WHERE {' AND '.join(wheres)} ORDER BY seq DESC"  # noqa: S608
        with self._lock:
            return [json.loads(row[0]) for row in self._db.execute(query, values)]
