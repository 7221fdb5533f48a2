"""A model server of both protocols, which the gateway passes calls on to.

It does what the last message says: `say 3` answers three words; `drip 300` streams ten words a second;
`break 40` breaks off in a stream; `fail 500` answers with this status, and 0 hangs up. Below `/broken` it
always fails. It knows whether it was asked, and by which protocol.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from integrations.contract.callers import ANTHROPIC, OPENAI

# OpenAI's newer protocol, which some gateways make of calls in another.
RESPONSES = "responses"

INSTRUCTION = re.compile(r"\b(say|drip|break|fail) (\d+)\b")
# What it reports of every whole answer, in both shapes.
REPORTED: dict[str, dict[str, Any]] = {
    OPENAI: {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 110,
        "prompt_tokens_details": {"cached_tokens": 40},
    },
    ANTHROPIC: {
        "input_tokens": 60,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 40,
        "output_tokens": 10,
    },
    RESPONSES: {
        "input_tokens": 100,
        "output_tokens": 10,
        "total_tokens": 110,
        "input_tokens_details": {"cached_tokens": 40},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}
# Of the path, and of the verb in seconds a word: what breaks off at once might never be read.
PROTOCOL_OF = {"messages": ANTHROPIC, "completions": OPENAI, "responses": RESPONSES}
PAUSES = {"drip": 0.1, "break": 0.02}
Json = dict[str, Any]


class ModelServer:
    """Listens from the start. `asked` has the protocol of every call, the first one first."""

    def __init__(self, host: str, port: int) -> None:
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer((host, port), partial(Handler, self.asked))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reported(self) -> Json:
        """What it has reported of the last call."""
        return REPORTED[self.asked[-1]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, asked: list[str], *arguments: Any) -> None:
        self._asked = asked
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        protocol = PROTOCOL_OF[self.path.partition("?")[0].rpartition("/")[2]]
        self._asked.append(protocol)
        verb, count = instruction_in(body)
        if self.path.startswith("/broken"):
            verb, count = "fail", 500
        if verb == "fail":
            self._fail(count)
        elif body.get("stream"):
            self._stream(body, protocol, verb, count)
        else:
            self._json(200, whole(body, protocol, "word " * count))

    def _fail(self, status: int) -> None:
        self.close_connection = True
        if status:
            error = {"type": "server_error", "message": "the model was told to fail", "code": None}
            self._json(status, {"type": "error", "error": error})

    def _json(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, body: Json, protocol: str, verb: str, count: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        begin, word, end = EVENTS[protocol](body)
        with suppress(OSError):  # the gateway has left
            self._chunk(begin)
            for _ in range(count):
                time.sleep(PAUSES.get(verb, 0))
                self._chunk(word)
            if verb != "break":
                self._chunk(end)
                self._chunk("")

    def _chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Says nothing."""


def instruction_in(body: Json) -> tuple[str, int]:
    """What the last message says to do."""
    asked = body.get("messages") or body.get("input")
    found = INSTRUCTION.search(json.dumps(asked[-1:] if isinstance(asked, list) else asked))
    return (found[1], int(found[2])) if found else ("say", 2)


def whole(body: Json, protocol: str, text: str) -> Json:
    about = {"id": "contract-1", "model": body["model"]}
    said: Json
    if protocol == ANTHROPIC:
        said = {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None}
        return {**about, "type": "message", "role": "assistant", **said, "usage": REPORTED[ANTHROPIC]}
    if protocol == RESPONSES:
        part = {"type": "output_text", "text": text, "annotations": []}
        item = {"type": "message", "id": "item-1", "status": "completed", "role": "assistant"}
        rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "status": "completed"}
        said = {"output": [{**item, "content": [part]}], "usage": REPORTED[RESPONSES]}
        return {**about, "object": "response", "created_at": 1, **rest, **said}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return {
        **about,
        "object": "chat.completion",
        "created": 1,
        "choices": [choice],
        "usage": REPORTED[OPENAI],
    }


def anthropic_events(body: Json) -> tuple[str, str, str]:
    usage = {**REPORTED[ANTHROPIC], "output_tokens": 1}
    begun = {**whole(body, ANTHROPIC, ""), "content": [], "stop_reason": None, "usage": usage}
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    stop = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 10}}
    return (
        "".join(named([("message_start", {"message": begun}), ("content_block_start", block)])),
        "".join(
            named([("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "word "}})])
        ),
        "".join(named([("content_block_stop", {"index": 0}), ("message_delta", stop), ("message_stop", {})])),
    )


def named(events: list[tuple[str, Json]]) -> Iterator[str]:
    for name, fields in events:
        yield f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n"


def openai_events(body: Json) -> tuple[str, str, str]:
    head = {"id": "contract-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}

    def chunk(delta: Json, reason: str | None = None) -> str:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        return f"data: {json.dumps({**head, 'choices': choices})}\n\n"

    end = chunk({}, "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        end += f"data: {json.dumps({**head, 'choices': [], 'usage': REPORTED[OPENAI]})}\n\n"
    return chunk({"role": "assistant", "content": ""}), chunk({"content": "word "}), end + "data: [DONE]\n\n"


def responses_events(body: Json) -> tuple[str, str, str]:
    place = {"item_id": "item-1", "output_index": 0, "content_index": 0}
    done = whole(body, RESPONSES, "word ")
    begun = {**done, "status": "in_progress", "output": [], "usage": None}
    delta = {**place, "delta": "word ", "logprobs": [], "sequence_number": 1}
    return (
        "".join(named([("response.created", {"response": begun, "sequence_number": 0})])),
        "".join(named([("response.output_text.delta", delta)])),
        "".join(named([("response.completed", {"response": done, "sequence_number": 2})])),
    )


EVENTS = {ANTHROPIC: anthropic_events, OPENAI: openai_events, RESPONSES: responses_events}
