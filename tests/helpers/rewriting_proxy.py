"""What an operator puts before a gateway that has no addresses below `/anthropic`: it takes that away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

HOP_BY_HOP = {"connection", "content-length", "host", "transfer-encoding", "content-encoding"}


@contextmanager
def without_prefix(url: str, prefix: str) -> Iterator[str]:
    """The address of a server that asks `url` for what it is asked for below `prefix`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {n: v for n, v in self.headers.items() if n.lower() not in HOP_BY_HOP}
            asked = f"{url}{self.path.removeprefix(prefix)}"
            with httpx.stream("POST", asked, content=body, headers=headers, timeout=60) as answer:
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.end_headers()
                for part in answer.iter_bytes():
                    self.wfile.write(part)
                    self.wfile.flush()

        def log_message(self, *args: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
