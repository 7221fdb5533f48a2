"""The replay itself: several calls at once, each authorized and then settled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from quota.replay.gateway import CLOSED, HELD, GatewayClient, NoAnswer
from quota.replay.tally import Tally
from quota.replay.trace import TracedCall


@dataclass(frozen=True, slots=True)
class Target:
    """Where the calls go, and as whose. Call n uses key n modulo their number."""

    url: str
    gateway_key: str
    keys: Sequence[str]
    model: str
    batch_id: str
    # What a gateway sets aside for an answer whose length it does not know yet.
    output_estimate: int
    patience: float


class Replay:
    """Runs in threads of its own; `stop` ends it after the calls under way."""

    def __init__(
        self, calls: Sequence[TracedCall], target: Target, tally: Tally, *, workers: int, speed: float
    ) -> None:
        """`speed` divides the recorded gaps: 2 is twice as fast as recorded, 0 as fast as it goes."""
        self._calls: Iterator[TracedCall] = iter(calls)
        self._target = target
        self._tally = tally
        self._speed = speed
        self._stop = threading.Event()
        self._turn = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        self._begun = 0.0
        self.seconds = 0.0
        self._error: Exception | None = None

    def run(self, progress: Callable[[], None]) -> None:
        """Replay all; `progress` is called now and then. Raises Unusable; Ctrl-C ends it as `stop` does."""
        self._begun = time.monotonic()
        for thread in self._threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in self._threads):
                time.sleep(0.05)
                progress()
        finally:
            self.stop()
        if self._error:
            raise self._error

    def stop(self) -> None:
        """No further call is begun; returns when those under way have ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.seconds = self.seconds or time.monotonic() - self._begun

    def _work(self) -> None:
        target = self._target
        client = GatewayClient(target.url, target.gateway_key, patience=target.patience, stop=self._stop)
        try:
            while (call := self._next()) is not None:
                self._replay(client, call)
        except Exception as error:  # raised again in `run`, where somebody waits
            self._error = error
            self._stop.set()
        finally:
            client.close()

    def _next(self) -> TracedCall | None:
        """The next call, once it is due. None: there is none, or it is time to stop."""
        with self._turn:
            call = None if self._stop.is_set() else next(self._calls, None)
        if call is not None and self._speed:
            wait = self._begun + call.offset / self._speed - time.monotonic()
            if wait > 0 and self._stop.wait(wait):
                return None
        return call

    def _replay(self, client: GatewayClient, call: TracedCall) -> None:
        target = self._target
        usage = {"input_tokens": call.context_tokens, "output_tokens": call.generated_tokens}
        estimate = {**usage, "output_tokens": max(call.generated_tokens, target.output_estimate)}
        try:
            authorized = client.authorize(
                request_id=f"{target.batch_id}-{call.number}",
                key=target.keys[call.number % len(target.keys)],
                model=target.model,
                estimate=estimate,
            )
            if not (authorized.status in HELD or authorized.code == CLOSED):
                self._tally.add_refusal(authorized)
                return
            settled = client.settle(reservation=authorized.body["reservation"], usage=usage)
        except NoAnswer as error:
            self._tally.add_failure(str(error))
        else:
            self._tally.add_charge(usage, authorized, settled)
