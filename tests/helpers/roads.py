"""The two roads of a call: alone, or gathered with others. Both must give the same answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError
from django.http.response import ResponseHeaders
from django.utils import timezone

from quota.api.gateway import gathered
from quota.hot_path import bulk
from quota.hot_path.authorize import Authorization, authorize
from quota.hot_path.batches import LEFT, NotHere
from quota.hot_path.draws import Drawn, Report
from quota.hot_path.gathered import Ask, authorize_gathered
from quota.hot_path.gathered_draws import SettleAsk, settle_gathered
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import settle
from quota.models import Gateway
from tests.helpers import factories
from tests.helpers.api_client import V1, Answer, Caller
from tests.helpers.factories import Desk
from tokenplan.kit.errors import Refusal


def authorize_gathered_first(*, gateway: Gateway, request: AuthorizeRequest, at: datetime) -> Authorization:
    """As the web server does: a batch, of this one call, and what that leaves goes the other road."""
    (answer,) = authorize_gathered([Ask(hash_of(gateway), request)], at=at)
    if isinstance(answer, NotHere):
        return authorize(gateway=gateway, request=request, at=at)
    return answer


def settle_gathered_first(*, gateway: Gateway, reservation_id: UUID, report: Report, at: datetime) -> Drawn:
    """As above."""
    (answer,) = settle_gathered([SettleAsk(hash_of(gateway), reservation_id, report)], at=at)
    if isinstance(answer, NotHere):
        return settle(gateway=gateway, reservation_id=reservation_id, report=report, at=at)
    return Drawn(answer, is_new=True, state="settled")


def ask(desk: Desk, calls: int, name: str) -> Ask:
    """For one call of `calls` cents, under this request id."""
    return Ask(hash_of(desk.gateway), AuthorizeRequest(name, desk.key, "penny", {"calls": calls}))


def hash_of(gateway: Gateway) -> str:
    """The hash of the gateway's newest credential; of a gateway that has none, of nobody's."""
    newest = gateway.credentials.order_by("-pk").first()
    return newest.token_hash if newest else "0" * 64


def gather(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every `Desk` asks and settles by the road for many calls first."""
    monkeypatch.setattr(factories, "authorize", authorize_gathered_first)
    monkeypatch.setattr(factories, "settle", settle_gathered_first)
    fail_where_rows_break(monkeypatch)


def fail_where_rows_break(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on a test fails where rows in bulk go alone because the road for many broke. They would be
    answered all the same, and only be slower for ever.
    """
    at_once = bulk._at_once

    def watched(work: Callable[[Any], Any], rows: Any, waits: Any) -> Any:
        def seen(rows: Any) -> Any:
            try:
                return work(rows)
            except (Refusal, DatabaseError, ZeroDivisionError):  # the last is what tests break a row with
                raise
            except Exception as error:
                # No Exception, which the road for many would take for a row's fault.
                pytest.fail(f"rows in bulk: {error!r}")

        return at_once(seen, rows, waits)

    monkeypatch.setattr(bulk, "_at_once", watched)


def go_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every row of a bulk report is recorded by the road for one."""
    for name in ("draw_gathered", "record_gathered"):
        monkeypatch.setattr(bulk, name, lambda rows, **_: [LEFT] * len(rows))


def note_rows_alone(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list to which, from here on, each row of a bulk report is added that goes the road for one."""
    noted: list[Any] = []
    row = bulk._row

    def note(record: Any) -> Any:
        noted.append(record.args[0])
        return row(record)

    monkeypatch.setattr(bulk, "_row", note)
    return noted


_ROADS: list[tuple[re.Pattern[bytes], Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = [
    (gathered.AUTHORIZE, gathered.read_authorize, authorize_gathered, gathered.answer_authorize),
    (gathered.SETTLE, gathered.read_settle, settle_gathered, gathered.answer_settle),
]
_send = Caller.send


def _send_gathered_first(caller: Caller, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    """As the web server does with a request over HTTP."""
    sent = {"Authorization": f"Bearer {caller.credential or ''}", "Content-Type": "application/json"}
    headers = {
        name.lower().encode(): str(value).encode("latin-1")
        for name, value in {**sent, **(more.get("headers") or {})}.items()
    }
    raw = more.get("raw")
    content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    for pattern, read, work, answer in _ROADS:
        match = pattern.fullmatch(f"{V1}/{path}".encode()) if method == "POST" else None
        ask = read(match.groups(), headers, content) if match else None
        made = answer(*_worked(work, ask)) if ask else None
        if made:
            status, head, text = made
            named = {name.decode(): value.decode() for name, value in head}
            return Answer(status, ResponseHeaders(named), json.loads(text))
    return _send(caller, method, path, body, **more)


def _worked(work: Callable[..., Any], ask: object) -> list[object]:
    try:
        return list(work([ask], at=timezone.now()))
    except DatabaseError:
        return [None]


def gather_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every `Caller` sends what is usual by the road for many calls first."""
    monkeypatch.setattr(Caller, "send", _send_gathered_first)
