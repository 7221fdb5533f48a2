"""What becomes of a request: health is answered here, everything else by Django once its body has come."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from rest_framework.exceptions import APIException

from tokenplan.kit.problems import INTERNAL_ERROR, NOT_FOUND, Problem, TooBusy, problem_of
from tokenplan.runtime.folders import web_door
from tokenplan.web.bodies import Bodies
from tokenplan.web.door import door
from tokenplan.web.gathering import Road
from tokenplan.web.messages import Disconnected, Receive, Scope, Send, send_answer
from tokenplan.web.threads import Threads
from tokenplan.web.wsgi_calls import Answer, environ_of

logger = logging.getLogger(__name__)

Readiness = Callable[[], Awaitable[tuple[int, object]]]
PLAIN = [(b"content-type", b"text/plain"), (b"cache-control", b"no-store")]
JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


class Application:
    """An ASGI application in front of a WSGI one."""

    def __init__(
        self,
        *,
        bodies: Bodies,
        threads: Threads,
        readiness: Readiness,
        data: Path,
        roads: Sequence[Road] = (),
        is_our_host: Callable[[bytes], bool] = lambda host: True,
        below: bytes = b"/",
    ) -> None:
        """`below`: the beginning of every path that is answered here, health aside."""
        self.bodies = bodies
        self.threads = threads
        self.roads = roads
        self.is_our_host = is_our_host
        self.below = below
        self.readiness = readiness
        self._data = data

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or looks after the life of this process."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        # For any Host header: probes use the IP address.
        path = scope["raw_path"]
        if path == b"/healthz":
            await send_answer(send, status=200, headers=PLAIN, body=b"ok\n")
        elif path == b"/readyz":
            status, found = await self.readiness()
            await send_answer(send, status=status, headers=JSON, body=json.dumps(found).encode())
        elif path.startswith(self.below):
            with contextlib.suppress(Disconnected):
                await self._answer_by_django(scope, receive, send)
        else:
            await refuse(NOT_FOUND, send)

    async def _answer_by_django(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with self.bodies.whole(scope, receive) as body:
                answer = await self._whole_answer(scope, body)
            if answer.rest is None:
                await send_answer(send, status=answer.status, headers=answer.headers, body=answer.body)
            else:
                await self.threads.stream(answer, send)
        except (APIException, TooBusy) as refused:
            await refuse(problem_of(refused), send)
        except Disconnected:
            raise
        except Exception:
            # Django answers for whatever its own code raises, so this is ours.
            logger.exception("A request was not answered")
            await refuse(INTERNAL_ERROR, send)

    async def _whole_answer(self, scope: Scope, body: bytes) -> Answer:
        """Of the batch that the request is gathered into, where it is such a request; else of Django."""
        road, asked = self._road(scope), (scope["headers"], body)
        answer = await road[0].answered(road[1], *asked) if road else None
        if answer is not None:
            return answer
        try:
            return await self.threads.answer(environ_of(scope, body))
        except TooBusy as busy:
            refused = road[0].refused(road[1], *asked, busy) if road else None
            if refused is None:
                raise
            return refused

    def _road(self, scope: Scope) -> tuple[Road, Sequence[bytes]] | None:
        """The road of the request's address, and what its path names."""
        for road in self.roads:
            if (match := road.leads_to(scope)) is None:
                continue
            if all(self.is_our_host(value) for name, value in scope["headers"] if name == b"host"):
                return road, match.groups()
        return None

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        spare_the_collector()
        async with door(web_door(self._data, os.getpid()), self.threads.stuck_seconds):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def spare_the_collector() -> None:
    """What was made before the first request stays, so the garbage collector need not walk through all of it
    again and again: a tenth of a second each time, in which nothing is answered. And what a batch makes is
    gone before a collection as rare as this, which then has little to walk through.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def refuse(problem: Problem, send: Send) -> None:
    """Answers with a problem document. The connection ends: what is left of the body is not waited for."""
    status, headers, content = problem.raw()
    headers += [(b"connection", b"close"), (b"content-length", str(len(content)).encode())]
    await send_answer(send, status=status, headers=headers, body=content)
