"""The mock model as a server, for gateways that need an address to pass calls on to."""

from __future__ import annotations

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from integrations.mock_model import MockModel

CALLS = ("messages", "chat/completions", "responses", "images/generations", "audio/speech")


async def answer(request: Request) -> Response:
    asked = httpx.Request("POST", str(request.url), content=await request.body())
    said = await MockModel().handle_async_request(asked)
    headers = {name: value for name, value in said.headers.items() if name.startswith(("content-type", "x-"))}
    return StreamingResponse(said.aiter_bytes(), said.status_code, headers)


app = Starlette(routes=[Route(f"/v1/{call}", answer, methods=["POST"]) for call in CALLS])
