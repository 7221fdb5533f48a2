"""The local Stripe as a whole: the calls and pages of all rooms over one store, served over HTTP, and a
thread that does what falls due and delivers webhooks.
"""

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

from tokenplan.local_stripe.billing import (
    catalog,
    customer_balances,
    customers,
    invoice_routes,
    previews,
    promotions,
    renewals,
    schedule_routes,
    schedules,
    subscription_routes,
    tax_ids,
    test_clocks,
)
from tokenplan.local_stripe.hosted import (
    checkout_page,
    checkout_sessions,
    front_page,
    invoice_page,
    page_payments,
    portal_page,
    portal_sessions,
)
from tokenplan.local_stripe.hosted.pages import Pages
from tokenplan.local_stripe.http import webhook_endpoints
from tokenplan.local_stripe.http.app import App
from tokenplan.local_stripe.http.routing import joined
from tokenplan.local_stripe.objects import webhooks
from tokenplan.local_stripe.objects.clocks import DueWork
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.objects.webhooks import Message
from tokenplan.local_stripe.payments import disputes, payment_intents, payment_methods, refunds

logger = logging.getLogger(__name__)
ROUTER = joined(
    (
        webhook_endpoints.router,
        payment_methods.router,
        payment_intents.router,
        refunds.router,
        disputes.router,
        catalog.router,
        promotions.router,
        customers.router,
        customer_balances.router,
        tax_ids.router,
        subscription_routes.router,
        schedule_routes.router,
        invoice_routes.router,
        previews.router,
        test_clocks.router,
        checkout_sessions.router,
        portal_sessions.router,
    )
)
PAGES = (
    *front_page.pages.routes,
    *checkout_page.pages.routes,
    *invoice_page.pages.routes,
    *portal_page.pages.routes,
)
DUE = DueWork(
    (
        disputes.disputes_due,
        refunds.failures_due,
        tax_ids.verifications_due,
        promotions.expiries_due,
        renewals.subscriptions_due,
        renewals.invoices_due,
        renewals.overdue_invoices_due,
        schedules.phases_due,
        checkout_sessions.expiries_due,
        page_payments.settlements_due,
    )
)
# Seconds between two checks for due work while no request comes in.
EVERY = 0.5
# Seconds that stopping waits for at most.
STOPS_WITHIN = 0.01


def application(store: Store, now: Callable[[], int], *, after: Callable[[], None] = lambda: None) -> App:
    """The WSGI application of the whole API and all pages. `after` is called when a request has been answered
    and stored.
    """
    return App(store, now, ROUTER, DUE, Pages(store, now, PAGES, DUE), after)


def wall_clock() -> int:
    return int(time.time())


class LocalStripe:
    """A local Stripe, in memory or in a file. In a `with` it serves at `url`; `now` is the account's clock in
    seconds since 1970.

    With `ticking`, a thread does what falls due and delivers webhooks. Without it, due work is done when
    `tick` is called, and nothing is delivered.
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
        self._server.set_app(application(self.store, self._moment, after=self._woken.set))
        self.url = self.store.base = f"http://{host}:{self._server.server_port}"
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        if ticking:
            self._threads.append(threading.Thread(target=self._tick_on, daemon=True))
        # The number of the event that `events` gave last.
        self.last_event_read = 0

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
        """Returns when `leave` is called."""
        self._stopped.wait()

    def leave(self) -> None:
        """Ends `wait`; may be called from a signal's handler."""
        self._stopped.set()

    def register(self, url: str, *, secret: str, events: list[str]) -> None:
        """Adds a webhook endpoint whose secret is known already, or changes the one added so before."""
        webhooks.register(self.store, url, secret, events, self._moment())

    def tick(self) -> int:
        """Does what is due for all customers who are on no test clock. Returns how many tasks that were."""
        return DUE.run_until(self.store, None, self._moment())

    def events(self, secret: str) -> Iterator[Message]:
        """What happened since this was last read, the oldest first, signed now as an endpoint with this
        secret would get it.
        """
        for number, event in self.store.since("event", self.last_event_read):
            self.last_event_read = number
            yield webhooks.message(event, secret, self._moment())

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=STOPS_WITHIN)

    def _tick_on(self) -> None:
        while not self._stopped.is_set():
            self._woken.wait(EVERY)
            self._woken.clear()
            if self._stopped.is_set():
                return
            try:
                self.tick()
                webhooks.send_due(self.store, wall_clock())
            except Exception:  # whatever is still due is tried again at the next check
                logger.exception("The local Stripe could not do what is due")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Binds without asking a name server for this machine's name, as the base class does."""
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library names it
        """Logs nothing: requests are not worth a line each."""
