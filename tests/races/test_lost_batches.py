"""PostgreSQL ends the connection of the batches in the middle of one, as the web server works them: each call
that waits is answered, once, and the next batch has a connection again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, connections
from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone

from quota.models import Reservation, UsageBucket, UsageEvent
from quota.selectors.reconcile import differences
from quota.services.gateways import create_gateway
from tests.helpers.asgi import Answered, asked, request
from tests.helpers.event_loop import run
from tests.helpers.factories import key_of, make_member, make_scene, make_seat
from tests.helpers.hot_path import PENNY
from tests.helpers.lost_connections import connected_beside, kill_own_backend, losing
from tokenplan.asgi import application, batches, roads

pytestmark = pytest.mark.django_db(transaction=True)
AUTHORIZE = reverse("api-authorize")


@dataclass
class Front:
    """Two seats and a gateway, before the application that the web server calls. `sizes`: how many calls each
    batch had.
    """

    killer: psycopg.Connection[Any]
    keys: list[str]
    credential: str
    sizes: list[int] = field(default_factory=list)
    count: int = 0

    def at_once(self, calls: Sequence[tuple[str, dict[str, Any]]]) -> list[Answered]:
        """The answers to these, which are sent together."""
        sent = [(path, json.dumps(body).encode()) for path, body in calls]
        scopes = [(request(path, method="POST", headers=self._headers(body)), body) for path, body in sent]

        async def together() -> list[Answered]:
            answers = [asked(application, scope, [body]) for scope, body in scopes]
            return list(await asyncio.gather(*answers))

        return run(together())

    def _headers(self, body: bytes) -> dict[str, str]:
        return {
            "authorization": f"Bearer {self.credential}",
            "content-type": "application/json",
            "content-length": str(len(body)),
        }

    def asks(self, number: int = 4) -> list[tuple[str, dict[str, Any]]]:
        """New calls of a cent each, of both seats in turn."""
        self.count += number
        bodies = [
            {"request_id": f"r{n}", "key": self.keys[n % 2], "model": "penny", "estimate": {"calls": 1}}
            for n in range(self.count - number, self.count)
        ]
        return [(AUTHORIZE, body) for body in bodies]

    def settles(self, number: int = 4) -> list[tuple[str, dict[str, Any]]]:
        """Of new calls."""
        held = [json.loads(body)["reservation"] for _, _, body in self.at_once(self.asks(number))]
        paths = [reverse("api-settle", kwargs={"reservation": id}) for id in held]
        return [(path, {"usage": {"calls": 1}}) for path in paths]


@pytest.fixture
def front(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)
    scene = make_scene()
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    text = create_gateway(name="edge", at=timezone.now(), by=None)[1]
    with connected_beside() as killer:
        front = Front(killer, [key_of(scene.owner), key_of(member)], text)
        for road in roads[:2]:
            work = road.gathering._work

            def counted(calls: list[Any], work: Any = work) -> Any:
                front.sizes.append(len(calls))
                return work(calls)

            monkeypatch.setattr(road.gathering, "_work", counted)
        yield front
        batches.submit(connections.close_all).result()


@contextmanager
def lost(front: Front, after: int) -> Iterator[list[int]]:
    """The connection of the batches is ended after so many of its statements."""
    stack = ExitStack()
    losing_it = losing(lambda: kill_own_backend(front.killer), after=after)
    try:
        yield batches.submit(stack.enter_context, losing_it).result()
    finally:
        batches.submit(stack.close).result()


@contextmanager
def lost_as_it_commits(front: Front) -> Iterator[list[int]]:
    """The server has committed, and its answer is lost."""
    seen = [0]

    def begin() -> Any:
        commit = connection._commit  # type: ignore[attr-defined]

        def committed() -> None:
            commit()
            connection._commit = commit  # type: ignore[attr-defined]
            seen[0] += 1
            kill_own_backend(front.killer)
            raise OperationalError("the connection is lost")

        connection._commit = committed  # type: ignore[attr-defined]

    batches.submit(begin).result()
    yield seen


def is_answered(answer: Answered) -> bool:
    status, headers, _ = answer
    return status in (200, 201) or (status == 503 and "retry-after" in headers)


def check(front: Front, calls: list[tuple[str, dict[str, Any]]], answers: list[Answered]) -> None:
    """All of them were one batch; each has its answer, and has it again; nothing of them is there twice."""
    assert front.sizes[0] == len(calls)
    assert [answer for answer in answers if not is_answered(answer)] == []
    rows = held_and_charged()
    again = front.at_once(calls)
    assert {status for status, _, _ in again} <= {200, 201}
    if all(status != 503 for status, _, _ in answers):
        assert held_and_charged() == rows
        name = "reservation" if calls[0][0] == AUTHORIZE else "id"
        assert [json.loads(body)[name] for _, _, body in again] == [
            json.loads(body)[name] for _, _, body in answers
        ]
    front.sizes.clear()


def held_and_charged() -> tuple[int, int, int]:
    """Holds, calls that were charged, and what the buckets of one window sum up to."""
    of_week = UsageBucket.objects.filter(rule__startswith="fixed").aggregate(used=Sum("used_nanousd"))
    return Reservation.objects.count(), UsageEvent.objects.count(), of_week["used"] or 0


def next_batch_works(front: Front) -> None:
    front.sizes.clear()
    assert [status for status, _, _ in front.at_once(front.asks())] == [201] * 4
    assert front.sizes == [4]
    front.sizes.clear()


@pytest.mark.parametrize("verb", ["asks", "settles"])
def test_whatever_statement_of_a_batch_loses_its_connection_each_call_is_answered_once(
    front: Front, verb: str
) -> None:
    for after in range(20):
        calls = getattr(front, verb)()
        front.sizes.clear()
        with lost(front, after) as seen:
            answers = front.at_once(calls)
        check(front, calls, answers)
        next_batch_works(front)
        if seen[0] < after:
            break
    assert 3 <= after < 19
    holds, charged, used = held_and_charged()
    assert holds == front.count
    assert charged == (4 * (after + 1) if verb == "settles" else 0)
    assert used == charged * PENNY
    assert [str(found) for found in differences(timezone.now())] == []


@pytest.mark.parametrize("verb", ["asks", "settles"])
def test_a_batch_that_is_written_and_never_hears_of_it_is_answered_as_it_is_written(
    front: Front, verb: str
) -> None:
    calls = getattr(front, verb)()
    front.sizes.clear()
    with lost_as_it_commits(front) as seen:
        answers = front.at_once(calls)
    assert seen == [1]
    check(front, calls, answers)
    next_batch_works(front)
    holds, charged, used = held_and_charged()
    assert (holds, charged) == (front.count, 4 if verb == "settles" else 0)
    assert used == charged * PENNY
    assert [str(found) for found in differences(timezone.now())] == []
