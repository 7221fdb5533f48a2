"""The small gateway as its process runs, who calls it, and a model that it may pass calls on to."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from anthropic import Anthropic
from openai import OpenAI

from quota.models import Reservation, UsageEvent
from tests.helpers.serving import free_port, get, wait_for
from tokenplan.runtime.folders import ROOT
from tokenplan.runtime.programs import small_gateway_command

# A client of an SDK. Its answers have a type for each kind there may be; a test knows which comes.
Client = Any

CREDENTIAL = "gw-" + "s" * 40


@contextmanager
def small_gateway(console_url: str, **environment: str) -> Iterator[str]:
    """The address of a small gateway that asks this console, with CREDENTIAL."""
    port = free_port()
    variables = {"CONSOLE_URL": console_url, "GATEWAY_KEY": CREDENTIAL, "UPSTREAM_URL": "", **environment}
    process = subprocess.Popen(
        small_gateway_command(host="127.0.0.1", port=port), cwd=ROOT, env={**os.environ, **variables}
    )
    try:
        wait_for(lambda: get(port, "/healthz")[0] == 200)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def anthropic_client(gateway: str, key: str) -> Client:
    """Signs in by `x-api-key`. Close it."""
    return Anthropic(base_url=f"{gateway}/anthropic", api_key=key, max_retries=0)


def openai_client(gateway: str, key: str) -> Client:
    """Signs in by `Authorization: Bearer`. Close it."""
    return OpenAI(base_url=f"{gateway}/v1", api_key=key, max_retries=0)


def only_event() -> UsageEvent:
    """The charge of the only call, which may be settled a moment after its answer. Nothing is held."""
    wait_for(lambda: UsageEvent.objects.exists())
    event = UsageEvent.objects.get()
    assert list(Reservation.objects.values_list("state", flat=True)) == ["settled"]
    return event


def states() -> list[str]:
    """Of all holds, the oldest first."""
    return list(Reservation.objects.order_by("pk").values_list("state", flat=True))


Answer = tuple[int, dict[str, str], list[bytes]]


class FakeModel:
    """An upstream that answers as its script says, one part after another. Status 0: it hangs up. At an
    empty part it waits until `go_on` is set.
    """

    def __init__(self) -> None:
        self.script: Callable[[str, dict[str, Any]], Answer] = lambda path, body: (500, {}, [])
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.go_on = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                fake.requests.append((self.path, headers, body))
                status, said, parts = fake.script(self.path, body)
                if not status:
                    return
                self.send_response(status)
                for name, value in said.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):  # the caller has left
                    for part in parts:
                        if not part:
                            fake.go_on.wait(20)
                        self.wfile.write(part)
                        self.wfile.flush()

            def log_message(self, *args: object) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def fake_model() -> Iterator[FakeModel]:
    fake = FakeModel()
    thread = threading.Thread(target=fake.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        fake.server.shutdown()
        thread.join()
        fake.server.server_close()
