"""A request with its body as Django's WSGI handler is called with it, and what the handler answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from tokenplan.web.messages import Scope

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass
class Answer:
    """A status, headers, and a body: whole, or for a long answer the `rest`, which is made as it is sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    rest: Iterator[bytes] | None = None
    close: Callable[[], None] = lambda: None


def environ_of(scope: Scope, body: bytes) -> dict[str, Any]:
    """The variables of PEP 3333. A body always has its length, also one that was sent in chunks."""
    server, port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        _add_header(environ, name, value.decode("latin-1"))
    if body or "CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def _add_header(environ: dict[str, Any], name: bytes, value: str) -> None:
    # `X_Forwarded_For` would become the same variable as `X-Forwarded-For`, which only a proxy may set.
    if b"_" in name:
        return
    variable = name.decode("latin-1").upper().replace("-", "_")
    if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        variable = f"HTTP_{variable}"
    if variable in environ:
        value = f"{environ[variable]}{'; ' if variable == 'HTTP_COOKIE' else ','}{value}"
    environ[variable] = value


def call(application: Application, environ: dict[str, Any]) -> Answer:
    """Calls it in this thread. An answer that says its length is made at once, any other one is left open."""
    answer = Answer(500, [])

    def start_response(status: str, headers: list[tuple[str, str]], error: object = None) -> None:
        answer.status = int(status[:3])
        answer.headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ]

    try:
        result = application(environ, start_response)
    finally:
        # A request of Django's refers to itself, so it stays until the garbage collector comes by; its body
        # need not.
        environ["wsgi.input"].close()
    answer.close = getattr(result, "close", answer.close)
    if getattr(result, "streaming", False) and not any(
        name == b"content-length" for name, _ in answer.headers
    ):
        answer.rest = iter(result)
        return answer
    try:
        answer.body = b"".join(result)
    finally:
        answer.close()
    return answer
