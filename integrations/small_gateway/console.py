"""The console's API as a gateway uses it: ask before a call, settle or release it afterwards.

What is to be settled waits in this process and is sent until the console has taken it. It is lost if this
process dies first: then the hold lapses, and the call costs nothing. A gateway that earns money writes it to
disk before it is sent.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

log = logging.getLogger(__name__)

CARD_SECONDS = 60.0
LONGEST_PAUSE = 15.0
AT_THE_END_SECONDS = 5.0
RATE_LIMITS = ("RateLimit", "RateLimit-Policy")


@dataclass(frozen=True)
class Hold:
    """A call that may be made. `headers` go to its caller with the answer."""

    reservation: str
    headers: dict[str, str]


class Refused(Exception):
    """A call that is not made: what its caller gets, with a body for each protocol."""

    def __init__(self, status: int, headers: Mapping[str, str], bodies: Mapping[str, Any]) -> None:
        super().__init__(status)
        self.status, self.headers, self.bodies = status, dict(headers), bodies


def refused(status: int, kind: str, message: str, **headers: str) -> Refused:
    """A refusal of the gateway's own, in the shapes that the clients of both protocols know."""
    return Refused(
        status,
        headers,
        {
            "anthropic": {"type": "error", "error": {"type": kind, "message": message}},
            "openai": {"error": {"message": message, "type": kind, "param": None, "code": kind}},
        },
    )


def console_away() -> Refused:
    """Nobody has said yes, so the answer is no."""
    return refused(503, "overloaded_error", "the console does not answer, try again", **{"Retry-After": "5"})


class Console:
    """One for each process; `credential` is a gateway's, `gw-…`. Close it."""

    def __init__(self, url: str, credential: str) -> None:
        headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=10)
        self._waiting: set[asyncio.Task[None]] = set()
        self._calls_end: dict[str, asyncio.Event] = {}
        self._models: dict[str, dict[str, Any]] = {}
        self._card_etag = ""
        self._card_known_until = 0.0

    async def authorize(self, key: str, model: object, estimate: dict[str, Any] | None) -> Hold:
        """Asks for one call. Raises Refused.

        The id is the gateway's own: with one that a caller chose, a repeat would be a call for nothing. An
        answer that was lost is asked for again with the same id, which holds nothing twice.
        """
        body: dict[str, object] = {"request_id": str(uuid.uuid4()), "key": key, "model": model}
        if estimate is not None:
            body["estimate"] = estimate
        answer = await self._asked("/api/v1/gateway/authorize", body)
        content = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        if answer.status_code in (200, 201):
            limits = {name: answer.headers[name] for name in RATE_LIMITS if name in answer.headers}
            reservation = content["reservation"]
            self._calls_end[reservation] = asyncio.Event()
            return Hold(reservation, {"x-tokenplan-reservation": reservation, **limits})
        if "relay" not in content:
            log.error("authorize was answered with %d: %s", answer.status_code, answer.text[:500])
            raise console_away()
        raise Refused(**content["relay"])

    async def close_hold(self, hold: Hold, usage: dict[str, Any], *, estimated: bool) -> None:
        """Charges what the call used; nothing used is a release. Returns soon, whether or not it arrived."""
        path = f"/api/v1/gateway/reservations/{hold.reservation}"
        what = {"usage": usage, "estimated": estimated} if usage else {}
        task = self._delivery(f"{path}/{'settle' if usage else 'release'}", what)
        self._calls_end.pop(hold.reservation).set()
        await asyncio.wait({task}, timeout=1)

    async def models(self) -> dict[str, dict[str, Any]]:
        """The rate card by the names and aliases of its models, not older than a minute where the console
        answers. Raises Refused where it never has.
        """
        if time.monotonic() > self._card_known_until:
            try:
                answer = await self._http.get(
                    "/api/v1/gateway/rate-card", headers={"If-None-Match": self._card_etag}
                )
                if answer.status_code == 200:
                    self._card_etag = answer.headers["etag"]
                    cards = answer.json()["models"]
                    self._models = {n: card for card in cards for n in (card["model"], *card["aliases"])}
                if answer.status_code in (200, 304):
                    self._card_known_until = time.monotonic() + CARD_SECONDS
                else:
                    log.error("The rate card was answered with %d: %s", answer.status_code, answer.text[:500])
            except httpx.TransportError as error:
                log.warning("The rate card was not answered: %r", error)
        if not self._card_etag:
            raise console_away()
        return self._models

    async def close(self) -> None:
        """Gives calls that are under way a last moment to end, and what waits one to arrive."""
        with suppress(TimeoutError):
            async with asyncio.timeout(AT_THE_END_SECONDS):
                for end in list(self._calls_end.values()):
                    await end.wait()
                while self._waiting:
                    await asyncio.wait(self._waiting)
        for task in list(self._waiting):
            log.error("Not delivered: %s", task.get_name())
            task.cancel()
        await self._http.aclose()

    async def _asked(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        for _ in range(2):
            try:
                return await self._http.post(path, content=json.dumps(body))
            except httpx.TransportError as error:
                log.warning("%s was not answered: %r", path, error)
        raise console_away()

    def _delivery(self, path: str, body: Mapping[str, Any]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._send_until_taken(path, body), name=f"{path} {body}")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return task

    async def _send_until_taken(self, path: str, body: Mapping[str, Any]) -> None:
        """Settling or releasing twice is once, so whatever was not answered is sent again."""
        pause = 0.5
        while True:
            try:
                answer = await self._http.post(path, content=json.dumps(body))
                if answer.status_code < 500 and answer.status_code != 408:
                    break
                reason = f"status {answer.status_code}"
            except httpx.TransportError as error:
                reason = repr(error)
            log.warning("%s is sent again in %.1f s: %s", path, pause, reason)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        if answer.status_code != 200:
            log.error(
                "%s with %s was answered with %d: %s", path, body, answer.status_code, answer.text[:500]
            )
