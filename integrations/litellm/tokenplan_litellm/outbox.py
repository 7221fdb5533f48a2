"""What was used and is not yet recorded by the console: a SQLite file, which outlives every process.

A row is written, and on the disk, before it is sent, and deleted when the console has it. Several proxy
workers share one file: each sends its own rows, and adopts those of a worker that is no more.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    id TEXT NOT NULL PRIMARY KEY,
    reservation TEXT NOT NULL,
    act TEXT NOT NULL CHECK (act IN ('charge', 'release')),
    state TEXT NOT NULL CHECK (state IN ('open', 'due', 'refused')),
    body TEXT NOT NULL,
    worker TEXT NOT NULL,
    refusal TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS rows_by_worker ON rows (worker, state);
CREATE INDEX IF NOT EXISTS rows_by_reservation ON rows (reservation);
"""
CHARGES_DUE = """
SELECT id, reservation, act, state, body FROM rows
WHERE worker = ? AND state = 'due' AND act = 'charge' ORDER BY rowid LIMIT ?
"""
RELEASES_DUE = """
SELECT id, reservation, act, state, body FROM rows
WHERE worker = ? AND state = 'due' AND act = 'release' AND NOT EXISTS (
    SELECT 1 FROM rows AS other
    WHERE other.reservation = rows.reservation AND other.act = 'charge' AND other.state IN ('open', 'due')
) ORDER BY rowid LIMIT ?
"""
WAIT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """`act` is `charge` or `release`. `state`: `open` is a call under way with what is seen of it so far,
    `due` waits to be sent, `refused` was refused for good and is kept for the operator. `body` is a
    settlement as the console takes it, empty for a release. No row holds a key.
    """

    id: str
    reservation: str
    act: str
    state: str
    body: dict[str, Any]


class Outbox:
    """One connection to the file, for one thread. `worker` names the process whose rows these are."""

    def __init__(self, path: Path, worker: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._worker = worker
        self._db = sqlite3.connect(path, isolation_level=None, timeout=WAIT_MS / 1000)
        self._db.execute(f"PRAGMA busy_timeout = {WAIT_MS}")
        self._write_ahead()
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def _write_ahead(self) -> None:
        """Of those that open a new file at once, one may change its mode at a time, and SQLite makes the
        others wait for everything but that.
        """
        give_up = time.monotonic() + WAIT_MS / 1000
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
            else:
                return

    def write(self, rows: Iterable[Row]) -> None:
        """Writes all of these rows, or none; on the disk when it returns. A row that is `due` already, or
        refused, stays as it is: a call is charged once.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for row in rows:
                self._db.execute(
                    "INSERT INTO rows (id, reservation, act, state, body, worker) VALUES (?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET act = excluded.act, state = excluded.state,"
                    " body = excluded.body WHERE rows.state = 'open'",
                    (row.id, row.reservation, row.act, row.state, json.dumps(row.body), self._worker),
                )
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def due(self, act: str, most: int) -> list[Row]:
        """This worker's rows that wait, the oldest first. A release waits for the charges of its hold."""
        found = self._db.execute(CHARGES_DUE if act == "charge" else RELEASES_DUE, (self._worker, most))
        return [_row(values) for values in found]

    def done(self, ids: Sequence[str]) -> None:
        """The console has recorded these."""
        self._db.executemany("DELETE FROM rows WHERE id = ? AND state = 'due'", [(id,) for id in ids])

    def refuse(self, id: str, code: str) -> None:
        """The console will not have this row: it is kept, with the console's code, and not sent again."""
        self._db.execute("UPDATE rows SET state = 'refused', refusal = ? WHERE id = ?", (code, id))

    def replace(self, row: Row) -> None:
        """Another body for a row that waits."""
        self._db.execute("UPDATE rows SET body = ? WHERE id = ?", (json.dumps(row.body), row.id))

    def workers(self) -> set[str]:
        """Those that have rows here."""
        return {name for (name,) in self._db.execute("SELECT DISTINCT worker FROM rows")}

    def adopt(self, worker: str) -> int:
        """Takes over the rows of a worker that is no more. Its calls that were under way ended with it: what
        was seen of them is due now, as estimated. Returns how many rows there were.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            found = self._db.execute(
                "UPDATE rows SET worker = ?, state = CASE state WHEN 'open' THEN 'due' ELSE state END"
                " WHERE worker = ?",
                (self._worker, worker),
            ).rowcount
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        return found

    def counts(self) -> dict[str, int]:
        """How many rows there are, by state."""
        return dict(self._db.execute("SELECT state, count(*) FROM rows GROUP BY state ORDER BY state"))

    def refused(self) -> list[tuple[Row, str]]:
        """The rows that the console will not have, each with its code."""
        found = self._db.execute(
            "SELECT id, reservation, act, state, body, refusal FROM rows"
            " WHERE state = 'refused' ORDER BY rowid"
        )
        return [(_row(values), values[5]) for values in found]

    def retry_refused(self) -> int:
        """Sends the refused rows again, once what was wrong has been put right. Returns how many."""
        return self._db.execute("UPDATE rows SET state = 'due' WHERE state = 'refused'").rowcount


def _row(values: Sequence[Any]) -> Row:
    return Row(values[0], values[1], values[2], values[3], json.loads(values[4]))
