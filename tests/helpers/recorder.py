"""What tools send to a gateway: a server that writes each call down, and charges nothing.

Its answers are only as much as a client needs in order to end without an error. They say nothing about how a
gateway answers: a test that uses it may look at what was sent alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWERS: dict[str, dict[str, Any]] = {
    "/anthropic/v1/messages": {
        "id": "recorded",
        "type": "message",
        "role": "assistant",
        "model": "recorded",
        "content": [{"type": "text", "text": "recorded"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "/v1/chat/completions": {
        "id": "recorded",
        "object": "chat.completion",
        "created": 0,
        "model": "recorded",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "recorded"},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
    },
}


@dataclass(frozen=True)
class Call:
    """One request, its header names in small letters."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def key(self) -> str:
        """As gateways find it, for either protocol."""
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class Recorder:
    """`url` has no path; the two base URLs of a gateway lie below it."""

    url: str
    calls: list[Call] = field(default_factory=list)

    @property
    def anthropic_url(self) -> str:
        return f"{self.url}/anthropic"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"


@contextmanager
def recording() -> Iterator[Recorder]:
    """A recorder on a free port of this machine."""
    recorder = Recorder("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path = self.path.partition("?")[0]
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorder.calls.append(Call(path, headers, body))
            answer = json.dumps(ANSWERS.get(path, {})).encode()
            self.send_response(200 if path in ANSWERS else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorder.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
