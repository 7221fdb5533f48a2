"""A model for a machine that has none. It answers as a model would, and says that it is a mock."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from integrations.counting import most_tokens, read_by_the_model, texts, tokens

SAYING = "I am a mock: no model has read this. With UPSTREAM_URL set, a real one answers. You wrote: "
MOST_WORDS = 256
MOST_IMAGES = 10
WORD_SECONDS = 0.02
# One dot, as PNG. A tenth of a second of silence, as WAV, whatever format was asked for.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SILENCE = bytes.fromhex(
    "524946464403000057415645666d74201000000001000100401f0000401f00000100080064617461"
) + ((800).to_bytes(4, "little") + b"\x80" * 800)
Json = dict[str, Any]


class MockModel(httpx.AsyncBaseTransport):
    """Takes the place of the network: a client that has it asks the mock, whatever the host."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body, kind = json.loads(request.content), request.url.path.rsplit("/", 1)[-1]
        headers = {"x-tokenplan-mock": "true", "content-type": "application/json"}
        if kind == "speech":
            return httpx.Response(200, headers=headers | {"content-type": "audio/wav"}, content=SILENCE)
        if kind == "generations":
            picture = {"b64_json": DOT, "revised_prompt": f"A mock's picture of: {body.get('prompt')}"}
            pictures = [picture] * min(body.get("n") or 1, MOST_IMAGES)
            return httpx.Response(200, headers=headers, json={"created": int(time.time()), "data": pictures})
        whole, events = SHAPES[kind]
        said = Said(body)
        if not body.get("stream"):
            return httpx.Response(200, headers=headers, json=whole(said))
        headers["content-type"] = "text/event-stream"
        return httpx.Response(200, headers=headers, content=streamed(events(said)))


class Said:
    """What the mock says to a request: it repeats the last text of the user, as far as it may."""

    def __init__(self, body: Json) -> None:
        asked = body.get("messages") or body.get("input")
        if isinstance(asked, list):
            asked = [one for one in asked if not isinstance(one, dict) or one.get("role", "user") == "user"][
                -1:
            ]
        last = list(texts(asked))[-1:]
        self.words = every = re.findall(r"\S+\s*", SAYING + "".join(last))[:MOST_WORDS]
        while len(self.words) > 1 and tokens(self.words) > (most_tokens(body) or MOST_WORDS * 100):
            self.words = self.words[:-1]
        self.cut = self.words != every
        self.text = "".join(self.words)
        self.model, self.id, self.at = body["model"], uuid.uuid4().hex, int(time.time())
        self.read, self.written = read_by_the_model(body), tokens(self.words)
        self.total = {"total_tokens": self.read + self.written}


async def streamed(events: Iterator[Json]) -> AsyncIterator[bytes]:
    """Server-sent events, one at a time. Those of chat completions have no names, and a last line."""
    name = ""
    for event in events:
        name = f"event: {event['type']}\n" if "type" in event else ""
        yield f"{name}data: {json.dumps(event)}\n\n".encode()
        await asyncio.sleep(WORD_SECONDS)
    if not name:
        yield b"data: [DONE]\n\n"


def message(said: Said) -> Json:
    about = {"id": f"msg_{said.id}", "type": "message", "role": "assistant", "model": said.model}
    stop = {"stop_reason": "max_tokens" if said.cut else "end_turn", "stop_sequence": None}
    cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    usage = {"input_tokens": said.read, "output_tokens": said.written, **cached}
    return about | {"content": [{"type": "text", "text": said.text}], **stop, "usage": usage}


def message_events(said: Said) -> Iterator[Json]:
    whole = message(said)
    begun = {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    yield {"type": "message_start", "message": whole | begun}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "ping"}
    for word in said.words:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield {"type": "content_block_stop", "index": 0}
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": said.written}}
    yield {"type": "message_stop"}


def completion(said: Said) -> Json:
    about = {
        "id": f"chatcmpl-{said.id}",
        "object": "chat.completion",
        "created": said.at,
        "model": said.model,
    }
    text = {"role": "assistant", "content": said.text, "refusal": None}
    choice = {
        "index": 0,
        "message": text,
        "logprobs": None,
        "finish_reason": "length" if said.cut else "stop",
    }
    usage = {"prompt_tokens": said.read, "completion_tokens": said.written, **said.total}
    return about | {"choices": [choice], "usage": usage}


def completion_events(said: Said) -> Iterator[Json]:
    whole = completion(said)
    chunk = whole | {"object": "chat.completion.chunk", "usage": None}
    choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}
    for delta in ({"role": "assistant", "content": ""}, *({"content": word} for word in said.words)):
        yield chunk | {"choices": [choice | {"delta": delta}]}
    yield chunk | {"choices": [choice | {"finish_reason": whole["choices"][0]["finish_reason"]}]}
    yield chunk | {"choices": [], "usage": whole["usage"]}


def response(said: Said) -> Json:
    text = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
    item = {"id": f"msg_{said.id}", "type": "message", "role": "assistant", "status": "completed"}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": f"resp_{said.id}",
        "object": "response",
        "created_at": said.at,
        "status": "incomplete" if said.cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if said.cut else None,
        "instructions": None,
        "metadata": {},
        "model": said.model,
        "output": [item | {"content": [text]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {"input_tokens": said.read, "output_tokens": said.written, **details, **said.total},
    }


def response_events(said: Said) -> Iterator[Json]:
    whole = response(said)
    [item], begun = whole["output"], whole | {"status": "in_progress", "output": [], "usage": None}
    [text], bare_item = item["content"], item | {"status": "in_progress", "content": []}
    place = {"output_index": 0, "content_index": 0, "item_id": item["id"]}
    events: list[Json] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": bare_item},
        {"type": "response.content_part.added", **place, "part": text | {"text": ""}},
        *({"type": "response.output_text.delta", **place, "delta": w, "logprobs": []} for w in said.words),
        {"type": "response.output_text.done", **place, "text": said.text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": text},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": f"response.{whole['status']}", "response": whole},
    ]
    yield from (event | {"sequence_number": number} for number, event in enumerate(events))


SHAPES = {
    "messages": (message, message_events),
    "completions": (completion, completion_events),
    "responses": (response, response_events),
}
