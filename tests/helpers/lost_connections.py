"""Requests as the web server has them answered, by one thread that keeps its connection's state from one to
the next, unlike the test client; and PostgreSQL ends that connection after a statement.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
import time_machine
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from tests.helpers.factories import T0


class Handler(WSGIHandler):
    """As the web server's, but that forms need no token against cross-site requests."""

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        return super().get_response(request)


@dataclass(frozen=True)
class Call:
    """A request that can be sent again and again."""

    name: str
    method: str
    url: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    form: bool = False

    def environ(self) -> dict[str, Any]:
        kind = "application/x-www-form-urlencoded" if self.form else "application/json"
        request = RequestFactory().generic(
            self.method, self.url, self.body, content_type=kind, headers=self.headers
        )
        return request.environ


def json_call(name: str, method: str, url: str, body: object, headers: dict[str, str]) -> Call:
    return Call(name, method, url, json.dumps(body).encode(), headers)


def form_call(name: str, url: str, values: Mapping[str, Any], headers: dict[str, str]) -> Call:
    return Call(name, "POST", url, urlencode(values, doseq=True).encode(), headers, form=True)


def cookies_of(client: Client) -> dict[str, str]:
    """The session in which this client is signed in."""
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"}


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@dataclass
class Thread:
    """One thread of the web server. `killer` is a connection of its own."""

    killer: psycopg.Connection[Any]
    pool: ThreadPoolExecutor
    handler: Handler = field(default_factory=Handler)

    def answer(self, call: Call) -> int:
        return self.pool.submit(self._answer, call).result()

    def answer_and_note(self, call: Call) -> tuple[int, list[str]]:
        """The status, and the statements."""
        return self.pool.submit(self._answer_and_note, call).result()

    def answer_and_lose(self, call: Call, *, after: int) -> tuple[int, bool]:
        """The status, and whether there were so many statements that the connection was ended."""
        return self.pool.submit(self._answer_and_lose, call, after).result()

    def is_in_a_transaction(self) -> bool:
        return self.pool.submit(lambda: connection.in_atomic_block).result()

    def _answer(self, call: Call) -> int:
        statuses: list[str] = []
        start: Any = lambda status, headers, *rest: statuses.append(status)  # noqa: E731
        response: Any = self.handler(call.environ(), start)
        try:
            list(response)
        finally:
            response.close()
        return int(statuses[0].split()[0])

    def _answer_and_note(self, call: Call) -> tuple[int, list[str]]:
        noted: list[str] = []

        def note(execute: Callable[..., Any], statement: Any, *args: Any) -> Any:
            noted.append(str(statement))
            return execute(statement, *args)

        with connection.execute_wrapper(note):
            return self._answer(call), noted

    def _answer_and_lose(self, call: Call, after: int) -> tuple[int, bool]:
        with losing(self.kill, after=after) as seen:
            status = self._answer(call)
        return status, seen[0] >= after

    def kill(self) -> None:
        kill_own_backend(self.killer)


@contextmanager
def losing(kill: Callable[[], None], *, after: int) -> Iterator[list[int]]:
    """This thread's connection is ended once so many statements have been executed; how many there were."""
    seen, execute, own = [0], psycopg.Cursor.execute, threading.get_ident()

    def counted(cursor: psycopg.Cursor[Any], *args: Any, **more: Any) -> Any:
        # Also of what is not executed by Django's cursors: statements by hand (quota/hot_path/sql.py).
        if threading.get_ident() != own or cursor.connection is not connection.connection:
            return execute(cursor, *args, **more)
        if after == seen[0] == 0:
            kill()
        result = execute(cursor, *args, **more)
        seen[0] += 1
        if seen[0] == after:
            kill()
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", counted)
        yield seen


def kill_own_backend(killer: psycopg.Connection[Any]) -> None:
    """Ends the server's process behind this thread's connection, and waits until it has ended.

    The server's own waiting would last a tenth of a second each time.
    """
    pid = connection.connection.info.backend_pid
    killer.execute("SELECT pg_terminate_backend(%s::int)", [pid])
    while killer.execute("SELECT 1 FROM pg_stat_get_activity(%s)", [pid]).fetchone():
        pass


@contextmanager
def connected_beside() -> Iterator[psycopg.Connection[Any]]:
    """A connection to the test database that is not of the pool."""
    params = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    where = {name: params[name] for name in names if params.get(name)}
    with psycopg.connect(**where, autocommit=True) as beside:
        yield beside


@contextmanager
def nothing_logged() -> Iterator[None]:
    """Each refusal would be, with its traceback, which takes longer than the refusal."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@contextmanager
def one_thread() -> Iterator[Thread]:
    """At T0, which stands still."""
    with (
        time_machine.travel(T0, tick=False),
        nothing_logged(),
        connected_beside() as killer,
        ThreadPoolExecutor(1) as pool,
    ):
        yield Thread(killer, pool)
        pool.submit(connections.close_all).result()
