"""For tests of the application that the web server calls: a request, and what is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.helpers.event_loop import run
from tokenplan.web.application import Application
from tokenplan.web.bodies import Bodies
from tokenplan.web.threads import Threads
from tokenplan.web.wsgi_calls import Application as WSGIApplication

Answered = tuple[int, dict[str, str], bytes]
NEVER = object()  # in place of a part of the body: it does not come


def request(path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The scope of a request, as the web server describes it."""
    raw_path, _, query = path.partition("?")
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [
            (name.encode(), value.encode("latin-1"))
            for name, value in {"host": "localhost", **(headers or {})}.items()
        ],
        "client": ("192.0.2.1", 1234),
        "server": ("127.0.0.1", 8000),
    }


async def _ready() -> tuple[int, object]:
    return 200, {"ready": True}


def application(
    wsgi: WSGIApplication, *, limit: int = 2_621_440, seconds: float = 5, data: Path = Path("/nowhere")
) -> Application:
    """Ours in front of this one. Made outside of an event loop, as by the web server."""
    threads = Threads(wsgi, threads=2, streams=1, wait_seconds=0.2, send_seconds=0.2)
    bodies = Bodies(limit=limit, seconds=seconds)
    return Application(bodies=bodies, threads=threads, readiness=_ready, data=data)


def ask(served: Application, scope: dict[str, Any], parts: Iterable[object] = ()) -> Answered:
    """Sends one request and returns what was answered. `parts` of the body come one by one."""
    return run(asked(served, scope, parts))


async def asked(served: Application, scope: dict[str, Any], parts: Iterable[object] = ()) -> Answered:
    """The same inside of an event loop. Status 0: nothing was answered."""
    coming = list(parts)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not coming:
            return {"type": "http.disconnect"}
        part = coming.pop(0)
        if part is NEVER:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": part, "more_body": bool(coming)}

    async def send(message: Any) -> None:
        sent.append(message)

    await served(scope, receive, send)
    if not sent:
        return 0, {}, b""
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:])
