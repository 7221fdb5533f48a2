"""Sends what is due in the outbox to the console, until it has it, keeps up the holds of calls that run long,
and keeps the rate card fresh.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from pathlib import Path

from tokenplan_litellm.calls import Calls
from tokenplan_litellm.console import Away, Reporting
from tokenplan_litellm.outbox import Outbox, Row
from tokenplan_litellm.prices import Card
from tokenplan_litellm.workers import Worker

MOST = 1000
IDLE = 1.0
LONGEST_PAUSE = 15.0
ADOPT_EVERY = 5.0
CARD_EVERY = 60.0
CARD_RETRY = 2.0
# Refusals of a row that mean that all is well: the hold has ended already, as it was asked to.
RELEASED_ALREADY = frozenset({"reservation_settled", "reservation_released", "reservation_lapsed"})
log = logging.getLogger("tokenplan")


class Sender:
    """A thread that sends. `wake` tells it that something is due; `card` is the rate card, once known. What
    `calls` under way hold is kept for `keep_seconds` more, whenever a third of that has gone.
    """

    def __init__(
        self, path: Path, worker: Worker, console: Reporting, *, calls: Calls, keep_seconds: int
    ) -> None:
        self._path = path
        self._worker = worker
        self._console = console
        self._calls = calls
        self._keep_seconds = keep_seconds
        self._due = threading.Event()
        self._stop = threading.Event()
        self._card_at = 0.0
        self._adopt_at = 0.0
        self.card: Card | None = None
        self._thread = threading.Thread(target=self._run, name="tokenplan-sender", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        self._due.set()

    def close(self) -> None:
        """Sends once more what is due, and ends. What the console does not take now waits in the file."""
        self._stop.set()
        self._due.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        outbox = Outbox(self._path, self._worker.name)
        pause = 0.0
        while True:
            stopping = self._stop.is_set()
            self._due.clear()
            try:
                self._turn(outbox)
                pause = 0.0
            except Away as reason:
                pause = min(max(pause * 2, 0.5), LONGEST_PAUSE)
                log.warning("tokenplan: the console is away (%s); trying again in %.1f s", reason, pause)
            except Exception:
                pause = LONGEST_PAUSE
                log.exception("tokenplan: the outbox could not be sent")
            if stopping:
                break
            if pause:
                self._stop.wait(pause)
            else:
                self._due.wait(IDLE)
        outbox.close()

    def _turn(self, outbox: Outbox) -> None:
        now = time.monotonic()
        if now >= self._adopt_at:
            self._adopt_at = now + ADOPT_EVERY
            self._adopt(outbox)
        while self._charges(outbox) or self._releases(outbox):
            pass
        self._keep(now)
        if now >= self._card_at:
            self._card_at = now + CARD_RETRY
            self.card = self._console.rate_card()
            self._card_at = now + CARD_EVERY

    def _keep(self, now: float) -> None:
        for call in self._calls.to_keep(now, self._keep_seconds / 3):
            code = self._console.lengthen(call.reservation, self._keep_seconds)
            call.kept_at = now
            if code:
                log.warning("tokenplan: the hold %s is not lengthened: %s", call.reservation, code)

    def _adopt(self, outbox: Outbox) -> None:
        for name in outbox.workers():
            if self._worker.gone(name):
                log.warning("tokenplan: %d rows of a worker that is no more", outbox.adopt(name))
        self._worker.sweep()

    def _charges(self, outbox: Outbox) -> bool:
        """Sends a batch of charges. Whether there was any."""
        rows = outbox.due("charge", MOST)
        if not rows:
            return False
        rejected = self._console.settle([row.body for row in rows])
        outbox.done([row.id for index, row in enumerate(rows) if index not in rejected])
        for index, code in rejected.items():
            self._rejected(outbox, rows[index], code)
        return True

    def _rejected(self, outbox: Outbox, row: Row, code: str) -> None:
        if code == "model_unknown" and "model" in row.body:
            # A fallback that the rate card does not know is charged as the model that was authorized.
            log.error("tokenplan: the rate card has no model %r, which has run", row.body["model"])
            without = {name: value for name, value in row.body.items() if name != "model"}
            outbox.replace(replace(row, body=without))
            return
        log.error("tokenplan: the console refuses a charge of %s: %s", row.reservation, code)
        outbox.refuse(row.id, code)

    def _releases(self, outbox: Outbox) -> bool:
        rows = outbox.due("release", MOST)
        for row in rows:
            code = self._console.release(row.reservation)
            if code and code not in RELEASED_ALREADY:
                log.error("tokenplan: the console refuses to release %s: %s", row.reservation, code)
                outbox.refuse(row.id, code)
            else:
                outbox.done([row.id])
        return bool(rows)
