"""A model server for the tests, of both protocols. What it does is said in the last message to it.

`say N` answers N words; `drip N` streams N words, ten a second; `hang` never answers; `break` ends a
stream in the middle. Every answer reports the usage below. Started as `python upstream.py PORT`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

# OpenAI's shape, of a prompt of which 40 tokens came from the cache; and the same in Anthropic's.
OPENAI_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 10,
    "total_tokens": 110,
    "prompt_tokens_details": {"cached_tokens": 40},
}
ANTHROPIC_INPUT = {"input_tokens": 60, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 40}

app = FastAPI()
calls: list[dict[str, Any]] = []


def asked(body: dict[str, Any]) -> list[str]:
    content = (body.get("messages") or [{"content": body.get("input", "say 2")}])[-1]["content"]
    text = content if isinstance(content, str) else content[-1]["text"]
    return [*text.split(), "2"][:2]


async def words(verb: str, count: int) -> AsyncIterator[str]:
    if verb == "hang":
        await asyncio.sleep(600)
    for _ in range(count):
        if verb == "drip":
            await asyncio.sleep(0.1)
        yield "word "


async def seen() -> list[dict[str, Any]]:
    return calls


async def broken() -> JSONResponse:
    return JSONResponse({"error": {"message": "it broke", "type": "server_error"}}, status_code=500)


async def chat(request: Request) -> Response:
    body = await request.json()
    calls.append(body)
    verb, count = asked(body)
    head = {"id": "c1", "created": 1, "model": body["model"], "object": "chat.completion.chunk"}
    if not body.get("stream"):
        text = "".join([word async for word in words(verb, int(count))])
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": OPENAI_USAGE})

    async def stream() -> AsyncIterator[str]:
        async for word in words(verb, int(count)):
            delta = {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
            yield f"data: {json.dumps({**head, 'choices': [delta]})}\n\n"
        if verb == "break":
            await asyncio.sleep(0.5)
            raise ConnectionError
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        yield f"data: {json.dumps({**head, 'choices': [end]})}\n\n"
        if (body.get("stream_options") or {}).get("include_usage"):
            yield f"data: {json.dumps({**head, 'choices': [], 'usage': OPENAI_USAGE})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def messages(request: Request) -> Response:
    body = await request.json()
    calls.append(body)
    verb, count = asked(body)
    message = {"id": "m1", "type": "message", "role": "assistant", "model": body["model"], "content": []}
    if not body.get("stream"):
        text = "".join([word async for word in words(verb, int(count))])
        return JSONResponse(
            {
                **message,
                "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "usage": {**ANTHROPIC_INPUT, "output_tokens": 10},
            }
        )

    def event(kind: str, **fields: Any) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"

    async def stream() -> AsyncIterator[str]:
        yield event("message_start", message={**message, "usage": {**ANTHROPIC_INPUT, "output_tokens": 1}})
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        async for word in words(verb, int(count)):
            yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        if verb == "break":
            await asyncio.sleep(0.5)
            raise ConnectionError
        yield event("content_block_stop", index=0)
        yield event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 10})
        yield event("message_stop")

    return StreamingResponse(stream(), media_type="text/event-stream")


async def responses(request: Request) -> Response:
    body = await request.json()
    calls.append(body)
    text = {"type": "output_text", "text": "word word ", "annotations": []}
    message = {"type": "message", "id": "o1", "status": "completed", "role": "assistant", "content": [text]}
    done = {
        "id": "r1",
        "object": "response",
        "created_at": 1,
        "model": body["model"],
        "status": "completed",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 40},
            "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 110,
        },
    }
    if not body.get("stream"):
        return JSONResponse(done)

    async def stream() -> AsyncIterator[str]:
        delta = {
            "type": "response.output_text.delta",
            "item_id": "o1",
            "output_index": 0,
            "content_index": 0,
            "sequence_number": 1,
            "delta": "word word ",
            "logprobs": [],
        }
        yield f"event: response.output_text.delta\ndata: {json.dumps(delta)}\n\n"
        completed = {"type": "response.completed", "sequence_number": 2, "response": done}
        yield f"event: response.completed\ndata: {json.dumps(completed)}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def images(request: Request) -> dict[str, Any]:
    body = await request.json()
    return {"created": 1, "data": [{"url": "http://picture.example/1"}] * body.get("n", 1)}


async def speech() -> Response:
    return Response(b"RIFF....", media_type="audio/wav")


ROUTES = (
    ("GET", "/calls", seen),
    ("POST", "/broken/v1/chat/completions", broken),
    ("POST", "/broken/v1/messages", broken),
    ("POST", "/v1/chat/completions", chat),
    ("POST", "/v1/messages", messages),
    ("POST", "/v1/responses", responses),
    ("POST", "/v1/images/generations", images),
    ("POST", "/v1/audio/speech", speech),
)
for method, path, endpoint in ROUTES:
    app.add_api_route(path, endpoint, methods=[method], response_model=None)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
