"""The small gateway with one fault, which FAULT names: what the contract kit must notice."""

from __future__ import annotations

import os
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.responses import StreamingResponse

from integrations.small_gateway import app, console
from integrations.small_gateway.console import Console, Hold, Refused

Authorize = Callable[..., Awaitable[Hold]]


def has_one_id_for_all() -> None:
    uuid.uuid4 = lambda: uuid.UUID(int=1)


def says_that_all_was_reported() -> None:
    close_hold = Console.close_hold

    async def closed(self: Console, hold: Hold, usage: dict[str, Any], *, estimated: bool) -> None:
        await close_hold(self, hold, usage, estimated=False)

    Console.close_hold = closed  # type: ignore[method-assign]


def forgets_who_leaves() -> None:
    app.Settling.__call__ = StreamingResponse.__call__  # type: ignore[method-assign]


def settles_but_once() -> None:
    async def sent(self: Console, path: str, body: Mapping[str, Any]) -> None:
        with suppress(httpx.TransportError):
            await self._http.post(path, json=body)

    Console._send_until_taken = sent  # type: ignore[method-assign]


def asks_once() -> None:
    async def asked(self: Console, path: str, body: Mapping[str, Any]) -> httpx.Response:
        try:
            return await self._http.post(path, json=body)
        except httpx.TransportError as error:
            raise console.console_away() from error

    Console._asked = asked  # type: ignore[method-assign]


def goes_on_without_the_console() -> None:
    def allowed(authorize: Authorize) -> Authorize:
        async def ask(*arguments: Any) -> Hold:
            try:
                return await authorize(*arguments)
            except Refused as error:
                if error.status == 503:
                    return Hold(str(uuid.uuid4()), {})
                raise

        return ask

    Console.authorize = allowed(Console.authorize)  # type: ignore[method-assign,assignment]


def charges_what_failed() -> None:
    close_hold = Console.close_hold

    async def closed(self: Console, hold: Hold, usage: dict[str, Any], *, estimated: bool) -> None:
        await close_hold(self, hold, usage or {"input_tokens": 1}, estimated=estimated)

    Console.close_hold = closed  # type: ignore[method-assign]


def hides_the_time_to_wait() -> None:
    change_refusals(lambda error: error.headers.pop("Retry-After", None))


def waits_by_its_own_clock() -> None:
    """Reads the moment in the console's words, and counts the seconds until then by itself."""

    def count(error: Refused) -> None:
        words = error.bodies["openai"]["error"]["message"]
        if "resets at " in words:
            moment = datetime.fromisoformat(words.partition("resets at ")[2].partition(" ")[0])
            error.headers["Retry-After"] = str(int((moment - datetime.now(moment.tzinfo)).total_seconds()))

    change_refusals(count)


def speaks_one_protocol() -> None:
    def change(error: Refused) -> None:
        error.bodies = dict.fromkeys(error.bodies, error.bodies["openai"])

    change_refusals(change)


def change_refusals(change: Callable[[Refused], object]) -> None:
    before = Refused.__init__

    def begin(self: Refused, *arguments: Any, **named: Any) -> None:
        before(self, *arguments, **named)
        change(self)

    Refused.__init__ = begin  # type: ignore[method-assign]


def create() -> Starlette:
    globals()[os.environ["FAULT"]]()
    return app.create()
