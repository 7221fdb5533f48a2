"""A webhook endpoint that keeps what it receives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import stripe


@dataclass
class Receiver:
    """Answers with `status` (and a `location`, to redirect), and keeps the events that it received. A wrong
    signature is an error.
    """

    secret: str
    status: int = 200
    url: str = ""
    location: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    received: threading.Event = field(default_factory=threading.Event)

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]


@contextmanager
def receiver(secret: str) -> Iterator[Receiver]:
    made = Receiver(secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stripe.Webhook.construct_event(
                body, self.headers["Stripe-Signature"], made.secret, tolerance=10**9
            )
            made.events.append(json.loads(body))
            self.send_response(made.status)
            if made.location:
                self.send_header("Location", made.location)
            self.end_headers()
            made.received.set()

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/webhooks/stripe/"
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
