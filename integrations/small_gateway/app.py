"""The addresses that callers know, and what becomes of a call: it is asked for, passed on and settled."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from integrations.counting import characters, read_by_the_model
from integrations.mock_model import MockModel
from integrations.small_gateway.console import Console, Hold, Refused, refused
from integrations.small_gateway.usage import Meter, Pieces, Tokens

log = logging.getLogger(__name__)

TO_THE_MODEL = ("anthropic-version", "anthropic-beta", "openai-beta")
TO_THE_CALLER = ("content-type", "retry-after", "request-id", "x-request-id", "x-tokenplan-mock")
END_OF_EVENT = re.compile(rb"\r?\n\r?\n")


class Gateway:
    """One for each process: the console, and the model that calls are passed on to."""

    def __init__(self, console: Console, upstream_url: str, upstream_key: str) -> None:
        self.console = console
        self._key = upstream_key
        self._model = httpx.AsyncClient(
            base_url=upstream_url or "http://mock",
            transport=None if upstream_url else MockModel(),
            timeout=httpx.Timeout(10, read=600),  # a model may think for minutes
        )

    async def call(self, request: Request) -> Response:
        """A call of a model in any of the protocols."""
        body = await json_object(request)
        path, protocol = request.url.path, protocol_of(request)
        card = (await self.console.models()).get(str(body.get("model")), {"meters": []})
        meter = meter_of(path, body, card)
        outgoing, shows_usage = self._outgoing(request, body)
        hold = await self.console.authorize(key_of(request), body.get("model"), meter.estimate)
        try:
            answer = await self._model.send(outgoing, stream=True)
            headers = hold.headers | {n: answer.headers[n] for n in TO_THE_CALLER if n in answer.headers}
            if answer.is_success and "event-stream" in headers.get("content-type", ""):
                events = events_of(answer, meter, protocol, shows_usage=shows_usage)
                return Settling(events, headers, lambda: self._finish(hold, meter, answer))
            content = await answer.aread()
        except httpx.HTTPError as error:
            await self.console.close_hold(hold, {}, estimated=False)
            raise refused(502, "api_error", "the model does not answer", **hold.headers) from error
        if answer.is_success:
            with suppress(ValueError):
                meter.read(json.loads(content))
            await self._finish(hold, meter, answer)
            return Response(content, headers=headers)
        await self.console.close_hold(hold, {}, estimated=False)
        if answer.status_code in (401, 403):  # what is refused is the gateway's key, not the caller's
            raise refused(502, "api_error", "the model refuses this gateway", **hold.headers)
        return Response(content, answer.status_code, headers)

    async def count_tokens(self, request: Request) -> Response:
        """About how many tokens a message has. It costs nothing, and asks nobody."""
        return JSONResponse({"input_tokens": read_by_the_model(await json_object(request))})

    async def models(self, request: Request) -> Response:
        """The names of the rate card, in the shape of the caller's protocol."""
        names = list(await self.console.models())
        if protocol_of(request) == "openai":
            rows = [{"id": n, "object": "model", "created": 0, "owned_by": "tokenplan"} for n in names]
            return JSONResponse({"object": "list", "data": rows})
        row: dict[str, object] = {"type": "model", "created_at": "1970-01-01T00:00:00Z"}
        rows = [row | {"id": name, "display_name": name} for name in names]
        ends = {"first_id": names[0], "last_id": names[-1]} if names else {"first_id": None, "last_id": None}
        return JSONResponse({"data": rows, "has_more": False, **ends})

    async def close(self) -> None:
        await self.console.close()
        await self._model.aclose()

    def _outgoing(self, request: Request, body: dict[str, Any]) -> tuple[httpx.Request, bool]:
        """What the model is asked, and whether its caller wants to see the usage in a stream."""
        path, shows_usage = request.url.path, True
        headers = {name: request.headers[name] for name in TO_THE_MODEL if name in request.headers}
        headers["content-type"] = "application/json"
        if protocol_of(request) == "anthropic":
            headers["x-api-key"] = self._key
        else:
            headers["authorization"] = f"Bearer {self._key}"
        if path.endswith("/completions") and body.get("stream"):
            options = body.get("stream_options")
            options = options if isinstance(options, dict) else {}
            shows_usage = bool(options.get("include_usage"))
            body = body | {"stream_options": options | {"include_usage": True}}
        target = request.url.replace(scheme="", netloc="")
        outgoing = self._model.build_request("POST", str(target), content=json.dumps(body), headers=headers)
        return outgoing, shows_usage

    async def _finish(self, hold: Hold, meter: Meter, answer: httpx.Response) -> None:
        """Charges what was seen of the answer. Nothing seen: the call is taken as not made."""
        usage, estimated = meter.usage()
        await self.console.close_hold(hold, usage, estimated=estimated)
        await answer.aclose()


class Settling(StreamingResponse):
    """A stream that is settled however it ends: whole, broken by the model, or left by its caller."""

    def __init__(
        self, events: AsyncIterator[bytes], headers: dict[str, str], finish: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(events, headers=headers)
        self._finish = finish

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._finish()


async def events_of(
    answer: httpx.Response, meter: Meter, protocol: str, *, shows_usage: bool
) -> AsyncIterator[bytes]:
    """The model's events as they come, each read by the meter first."""
    try:
        async for event in split(answer.aiter_bytes()):
            message = message_in(event)
            meter.read(message)
            if shows_usage or not (message.get("usage") and not message.get("choices")):
                yield event + b"\n\n"
    except httpx.HTTPError as error:
        log.warning("The model broke off: %r", error)
        body = refused(502, "api_error", "the model broke off").bodies[protocol]
        meter.read(body)
        yield f"event: error\ndata: {json.dumps(body)}\n\n".encode()


async def split(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A stream of bytes as its events, each without the empty line that ends it."""
    rest = b""
    async for chunk in chunks:
        *events, rest = END_OF_EVENT.split(rest + chunk)
        for event in events:
            yield event
    if rest:
        yield rest


def message_in(event: bytes) -> dict[str, Any]:
    """The JSON object of a server-sent event; empty where it has none."""
    data = b"".join(line[5:] for line in event.splitlines() if line.startswith(b"data:"))
    with suppress(ValueError):
        message = json.loads(data)
        return message if isinstance(message, dict) else {}
    return {}


def meter_of(path: str, body: dict[str, Any], card: dict[str, Any]) -> Meter:
    """`card` is what the rate card says of the model; a wrong meter the console refuses."""
    if path.endswith("/speech"):
        return Pieces("characters", characters(body.get("input")))
    if path.endswith("/generations"):
        return Pieces("requests" if "requests" in card["meters"] else "images", body.get("n") or 1)
    has_default_hold = "output_tokens" in card["meters"] and card["default_hold_nanousd"] is not None
    return Tokens(body, has_default_hold=has_default_hold)


def key_of(request: Request) -> str:
    """The caller's key, as the clients of both protocols send it; empty where there is none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")


def protocol_of(request: Request) -> str:
    anthropic = "/messages" in request.url.path or "anthropic-version" in request.headers
    return "anthropic" if anthropic or request.url.path.startswith("/anthropic") else "openai"


async def json_object(request: Request) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        body = await request.json()
        if isinstance(body, dict):
            return body
    raise refused(400, "invalid_request_error", "the body is not a JSON object")


async def refusal(request: Request, error: Exception) -> Response:
    what = cast(Refused, error)
    return JSONResponse(what.bodies[protocol_of(request)], what.status, what.headers)


def create() -> Starlette:
    """The application. CONSOLE_URL and GATEWAY_KEY say which console it asks as whom, UPSTREAM_URL and
    UPSTREAM_KEY which model; without them it is the mock.
    """
    console = Console(os.environ["CONSOLE_URL"], os.environ["GATEWAY_KEY"])
    gateway = Gateway(console, os.environ.get("UPSTREAM_URL", ""), os.environ.get("UPSTREAM_KEY", ""))

    @asynccontextmanager
    async def closed_at_the_end(app: Starlette) -> AsyncIterator[None]:
        yield
        await gateway.close()

    calls = ("v1/chat/completions", "v1/responses", "v1/images/generations", "v1/audio/speech")
    routes = [Route(f"/{path}", gateway.call, methods=["POST"]) for path in calls]
    for root in ("/v1", "/anthropic/v1"):
        routes += [
            Route(f"{root}/messages", gateway.call, methods=["POST"]),
            Route(f"{root}/messages/count_tokens", gateway.count_tokens, methods=["POST"]),
            Route(f"{root}/models", gateway.models),
        ]
    routes.append(Route("/healthz", PlainTextResponse("ok\n")))
    return Starlette(routes=routes, lifespan=closed_at_the_end, exception_handlers={Refused: refusal})
