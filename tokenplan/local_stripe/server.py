"""The server: the API and the pages over HTTP, and a thread that does what is due."""

from __future__ import annotations

import logging
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from tokenplan.local_stripe import (
    catalog,
    changing,
    clocks,
    customers,
    deleting,
    disputes,
    front,
    hosted,
    invoice_routes,
    portal,
    previews,
    promotions,
    refunds,
    renewals,
    schedule_routes,
    schedules,
    subscription_routes,
    test_clocks,
    webhooks,
)
from tokenplan.local_stripe.app import App
from tokenplan.local_stripe.store import Store
from tokenplan.local_stripe.web import Pages
from tokenplan.local_stripe.webhooks import Message

logger = logging.getLogger(__name__)
# Modules that answer calls, do what is due or show pages, each from the moment it is imported.
RESOURCES = (
    catalog,
    changing,
    customers,
    deleting,
    disputes,
    front,
    hosted,
    invoice_routes,
    portal,
    previews,
    promotions,
    refunds,
    renewals,
    schedule_routes,
    schedules,
    subscription_routes,
    test_clocks,
    webhooks,
)
# Seconds between two looks for what is due, where nothing is asked meanwhile.
EVERY = 0.5


def wall_clock() -> int:
    return int(time.time())


class LocalStripe:
    """A local Stripe, in memory or in a file. In a `with` it serves at `url`; `now` is the account's clock.

    `ticking`: a thread does what is due and tells webhook endpoints. Without it, `tick` does, when called.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        now: Callable[[], int] = wall_clock,
        host: str = "127.0.0.1",
        port: int = 0,
        ticking: bool = True,
    ) -> None:
        self.now = now
        self._server = _Server((host, port), _Handler)  # first of all: the address may be in use
        self.store = Store(path)
        self._woken, self._stopped = threading.Event(), threading.Event()
        pages = Pages(self.store, self._moment)
        self._server.set_app(App(self.store, self._moment, pages, after=self._woken.set))
        self.url = self.store.base = f"http://{host}:{self._server.server_port}"
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        if ticking:
            self._threads.append(threading.Thread(target=self._tick_on, daemon=True))
        self._told = 0

    def _moment(self) -> int:
        return self.now()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopped.set()
        self._woken.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()
        self.store.close()

    def wait(self) -> None:
        """Until somebody says `leave`."""
        self._stopped.wait()

    def leave(self) -> None:
        """Ends a `wait`, also from a signal's handler."""
        self._stopped.set()

    def register(self, url: str, *, secret: str, events: list[str]) -> None:
        """A webhook endpoint whose secret is known already."""
        webhooks.register(self.store, url, secret, events, self._moment())

    def tick(self) -> int:
        """Does what is due at the account's time. Returns how much that was."""
        return clocks.tick(self.store, self._moment())

    def events(self, secret: str) -> Iterator[Message]:
        """What happened since this was last read, in order, signed now as an endpoint with this secret
        gets it.
        """
        for number, event in self.store.since("event", self._told):
            self._told = number
            yield webhooks.message(event, secret, self._moment())

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def _tick_on(self) -> None:
        while not self._stopped.is_set():
            self._woken.wait(EVERY)
            self._woken.clear()
            if self._stopped.is_set():
                return
            try:
                self.tick()
                webhooks.send_due(self.store, wall_clock())
            except Exception:  # the next look does the rest
                logger.exception("The local Stripe could not do what is due")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Without asking any name server who we are."""
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library names it
        """Quiet: requests are nothing to tell."""
