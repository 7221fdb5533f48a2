"""Stores the objects in one SQLite file, or in memory.

A request is one transaction, and requests are handled one after the other.
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
    """Objects by their `object` (the kind) and `id`. What is read is a copy: only `save` changes what is
    stored.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        if path is not None:
            path.touch(mode=0o600)
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.executescript(SCHEMA)
        self._random = secrets.SystemRandom()
        # The server's address, with which the addresses in objects begin.
        self.base = ""

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps all other threads from the store."""
        with self._lock:
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Stores all or nothing, unless it ends with an error that is `kept`. Inside of another
        transaction it is a part of that one.
        """
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
        """As `find`, but raises Missing, which names `param`, where there is none."""
        found = self.find(kind, id)
        if found is None:
            raise Missing(kind, id, param)
        return found

    def kinds(self) -> list[str]:
        """The kinds of which there is an object."""
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT DISTINCT kind FROM objects ORDER BY kind")]

    def since(self, kind: str, after: int) -> list[tuple[int, Object]]:
        """Numbers and objects of a kind, the oldest first, from those stored after the number `after` on.
        Numbers count up, with gaps.
        """
        query = "SELECT seq, body FROM objects WHERE kind = ? AND seq > ? ORDER BY seq"
        with self._lock:
            return [(seq, json.loads(body)) for seq, body in self._db.execute(query, (kind, after))]

    def all(self, kind: str, **fields: Any) -> list[Object]:
        """The objects of a kind whose fields have these values, the newest first. `__` goes into a field
        that is an object: `parent__type="x"`.
        """
        wheres, values = ["kind = ?"], [kind]
        for name, value in fields.items():
            wheres.append(f"json_extract(body, '$.{name.replace('__', '.')}') IS ?")
            values.append(value)
        query = f"SELECT body FROM objects WHERE {' AND '.join(wheres)} ORDER BY seq DESC"  # noqa: S608
        with self._lock:
            return [json.loads(row[0]) for row in self._db.execute(query, values)]
