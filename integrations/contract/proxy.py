"""A way to the console that the kit can disturb: the gateway has its address for the console's."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
# What a gateway reports usage by, whichever it has chosen.
SETTLING = ("/settle", "/settlements", "/events", "/draw", "/draws")
NOT_HANDED_ON = {"host", "connection", "accept-encoding", "content-length", "transfer-encoding"}


class ConsoleProxy:
    """Listens from the start, and hands everything on until it is told otherwise."""

    def __init__(self, host: str, port: int, console: str) -> None:
        self.away = False
        self.losing: tuple[str, ...] = ()
        self.lost = 0
        self.skew = timedelta(0)
        self._http = httpx.Client(base_url=console, timeout=30)
        self._server = ThreadingHTTPServer((host, port), partial(Handler, self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()

    @contextmanager
    def console_away(self) -> Iterator[None]:
        """Every connection is dropped, and nothing reaches the console."""
        self.away = True
        try:
            yield
        finally:
            self.away = False

    @contextmanager
    def losing_an_answer(self, *endings: str) -> Iterator[None]:
        """The console does what it is asked at the next address with such an ending; its answer gets lost."""
        self.losing, self.lost = endings, 0
        try:
            yield
        finally:
            self.losing = ()

    @contextmanager
    def gateway_ahead(self, by: timedelta) -> Iterator[None]:
        """To the gateway it looks as if its own clock were ahead of the console's, and to the console too."""
        self.skew = by
        try:
            yield
        finally:
            self.skew = timedelta(0)

    def loses(self, path: str) -> bool:
        if not path.partition("?")[0].endswith(self.losing or ("//",)):
            return False
        self.losing, self.lost = (), self.lost + 1
        return True

    def hand_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        content = moved(body.decode(), self.skew) if self.skew else body
        return self._http.request(method, path, headers=headers, content=content)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, proxy: ConsoleProxy, *arguments: Any) -> None:
        self._proxy = proxy
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {n: value for n, value in self.headers.items() if n.lower() not in NOT_HANDED_ON}
        if self._proxy.away:
            self.close_connection = True
            return
        try:
            answer = self._proxy.hand_on(self.command, self.path, headers, body)
        except httpx.HTTPError:
            self.close_connection = True
            return
        if self._proxy.loses(self.path):
            self.close_connection = True
            return
        self._send(answer)

    def _send(self, answer: httpx.Response) -> None:
        content = answer.content
        self.send_response_only(answer.status_code)
        for name, value in answer.headers.items():
            if name not in {"content-length", "transfer-encoding", "connection", "content-encoding"}:
                self.send_header(name, moved_header(name, value, -self._proxy.skew))
        if self._proxy.skew:
            content = moved(answer.text, -self._proxy.skew).encode()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


def moved(text: str, by: timedelta) -> str:
    """The text with every moment in it later by so much."""

    def later(found: re.Match[str]) -> str:
        return (datetime.fromisoformat(found[0].replace("Z", "+00:00")) + by).isoformat()

    return MOMENT.sub(later, text)


def moved_header(name: str, value: str, by: timedelta) -> str:
    return format_datetime(parsedate_to_datetime(value) + by) if by and name == "date" else value
