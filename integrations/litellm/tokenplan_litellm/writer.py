"""Writes to the outbox, off the event loop: what is due at once, and twice a second how far streams are."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from tokenplan_litellm.outbox import Outbox, Row

TICK = 0.5
log = logging.getLogger("tokenplan")


class Writer:
    """A thread with the outbox open. `progress` answers the rows of the streams that have moved since it was
    last asked; it is called in this thread, twice a second, and in between nothing is written, so that a row
    that is put afterwards is written afterwards. `written` is called when something new is due. What could
    not be written is kept and tried again; `healthy` is False as long as there is any.
    """

    def __init__(
        self,
        path: Path,
        worker: str,
        *,
        progress: Callable[[], list[Row]],
        written: Callable[[], None],
    ) -> None:
        self._path = path
        self._worker = worker
        self._progress = progress
        self._written = written
        self._unwritten: list[Row] = []
        self.healthy = True
        self._queue: queue.SimpleQueue[tuple[Row, Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tokenplan-writer", daemon=True)
        self._thread.start()

    def put(self, row: Row) -> Future[None]:
        """Writes a row. The future is done when it is on the disk; it raises what went wrong."""
        done: Future[None] = Future()
        self._queue.put((row, done))
        return done

    def close(self) -> None:
        """Writes what was put, and ends."""
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        outbox = Outbox(self._path, self._worker)
        tick = time.monotonic() + TICK
        closing = False
        while not closing:
            batch, closing = self._next(max(tick - time.monotonic(), 0))
            if batch or (self._unwritten and time.monotonic() >= tick):
                self._write(outbox, batch)
            if time.monotonic() >= tick:
                tick = time.monotonic() + TICK
                self._tick(outbox)
        outbox.close()

    def _next(self, wait: float) -> tuple[list[tuple[Row, Future[None]]], bool]:
        """All that was put since; whether to end after it. Waits for something for at most `wait` seconds."""
        batch: list[tuple[Row, Future[None]]] = []
        try:
            item = self._queue.get(timeout=wait) if wait else self._queue.get_nowait()
            while item is not None:
                batch.append(item)
                item = self._queue.get_nowait()
            return batch, True
        except queue.Empty:
            return batch, False

    def _write(self, outbox: Outbox, batch: list[tuple[Row, Future[None]]]) -> None:
        """One transaction, and one wait for the disk, for all that came at once."""
        rows = [*self._unwritten, *(row for row, _done in batch)]
        try:
            outbox.write(rows)
        except Exception as error:
            log.exception("tokenplan: the outbox could not be written; no call is allowed until it can")
            self._unwritten, self.healthy = rows, False
            for _row, done in batch:
                done.set_exception(error)
            return
        self._unwritten, self.healthy = [], True
        for _row, done in batch:
            done.set_result(None)
        self._written()

    def _tick(self, outbox: Outbox) -> None:
        try:
            rows = self._progress()
            if rows:
                outbox.write(rows)
        except Exception:
            log.exception("tokenplan: the progress of streams could not be written")
