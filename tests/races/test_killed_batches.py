"""PostgreSQL ends the connection of a batch, or the network does, before and after each of its statements
and each commit: all of the batch is written, or nothing, and whoever asks again with the same ids is charged
once.

`test_lost_batches` does so through the web server, with calls that windows pay for; here Credits pay, too.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import OperationalError, connection

from quota.hot_path import bulk, gathered_draws
from quota.hot_path.authorize import Authorization
from quota.hot_path.batches import NotHere
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.gathered import Ask, authorize_gathered
from quota.hot_path.gathered_draws import SettleAsk, settle_gathered
from quota.hot_path.holds import AuthorizeRequest
from quota.models import (
    CreditGrant,
    CreditLedgerEntry,
    CreditMonth,
    Gateway,
    Reservation,
    UsageBucket,
    UsageEvent,
)
from quota.selectors.reconcile import differences
from tests.helpers import citus
from tests.helpers.cases import many
from tests.helpers.factories import (
    T0,
    Desk,
    give_credits,
    key_of,
    limits,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import MINUTE, PENNY, recognised_gateway
from tests.helpers.lost_connections import connected_beside, kill_own_backend
from tests.helpers.races import race
from tests.helpers.roads import ask, authorize_gathered_first, hash_of, settle_gathered_first
from tests.helpers.saved_rows import SavedRows

pytestmark = [pytest.mark.django_db(transaction=True), citus.not_on_a_cluster]

LATER = T0 + MINUTE


@dataclass(frozen=True)
class Place:
    """Two Teams of ten cents of Credits each, whose seats have room for two calls of a cent: two seats of the
    first Team, and one of the other.
    """

    gateway: Gateway
    desks: list[Desk]

    def asks(self) -> list[Ask]:
        """For calls that Credits must help with, and for a lease."""
        one, two, stranger = self.desks
        lease = AuthorizeRequest("lease", stranger.key, hold_nanousd=6 * PENNY)
        calls = [ask(one, 3, "a"), ask(one, 1, "b"), ask(two, 5, "c"), Ask(hash_of(self.gateway), lease)]
        return [Ask(hash_of(self.gateway), call.request) for call in calls]

    def held(self) -> dict[str, Authorization]:
        """By request id."""
        asks = self.asks()
        holds = {asked.request.request_id: one for asked, one in zip(asks, ask_of(asks), strict=True)}
        assert not any(isinstance(one, NotHere) for one in holds.values())
        return holds


@pytest.fixture
def place() -> Place:
    scene = make_scene(limits(2 * PENNY, 100 * PENNY))
    member = make_member(scene.team, credits=True)
    make_seat(scene.team, scene.plan, holder=member)
    stranger = make_scene(limits(2 * PENNY, 100 * PENNY))
    for team in (scene.team, stranger.team):
        give_credits(team, 4 * PENNY)
        give_credits(team, 6 * PENNY)
    gateway = recognised_gateway()
    keys = [scene.desk.key, key_of(member), stranger.desk.key]
    return Place(gateway, [Desk(gateway, key) for key in keys])


def ask_of(asks: Sequence[Ask]) -> list[Any]:
    return authorize_gathered(asks, at=T0)


@dataclass(frozen=True)
class Road:
    """What is asked for as a batch; what whoever sent it then asks again, and the answers to that."""

    at_once: Callable[[], Any]
    again: Callable[[], list[Any]]


def authorizing(place: Place) -> Road:
    asks = place.asks()

    def again() -> list[Any]:
        gateway = place.gateway
        answers = [authorize_gathered_first(gateway=gateway, request=asked.request, at=T0) for asked in asks]
        ids = dict(Reservation.objects.values_list("request_id", "id"))
        assert [one.reservation_id for one in answers] == [ids[asked.request.request_id] for asked in asks]
        return [(one.from_quota_nanousd // PENNY, one.from_credits_nanousd // PENNY) for one in answers]

    return Road(lambda: ask_of(asks), again)


def settling(place: Place) -> Road:
    holds, calls = place.held(), {"a": 3, "b": 1, "c": 4, "lease": 5}
    reports = {
        name: Report(usage={"calls": count}, model="penny" if name == "lease" else "")
        for name, count in calls.items()
    }
    asks = [
        SettleAsk(hash_of(place.gateway), holds[name].reservation_id, report)
        for name, report in reports.items()
    ]

    def again() -> list[Any]:
        gateway = place.gateway
        events = [
            settle_gathered_first(
                gateway=gateway, reservation_id=one.reservation_id, report=one.report, at=LATER
            ).event
            for one in asks
        ]
        assert {event.pk for event in events} == {*UsageEvent.objects.values_list("pk", flat=True)}
        return [(event.from_quota_nanousd // PENNY, event.from_credits_nanousd // PENNY) for event in events]

    return Road(lambda: settle_gathered(asks, at=LATER), again)


def drawing(place: Place) -> Road:
    """Three draws from a lease, which stays open, and reports that close other holds."""
    holds = place.held()
    lease = holds["lease"].reservation_id
    draws = [
        Settlement(lease, Report(usage={"calls": 1}, model="penny", draw_id=name), closes=False)
        for name in ("first", "second", "third")
    ]
    closing = [Settlement(holds[name].reservation_id, Report(usage={"calls": 3})) for name in ("a", "c")]
    return in_bulk(lambda: settle_many(gateway=place.gateway, settlements=draws + closing, at=LATER))


def recording(place: Place) -> Road:
    """Calls that the windows have room for, and a last one, which goes alone: Credits must pay for it."""
    events = [
        ReportedEvent(f"{number} of {name}", desk.key, "penny", {"calls": 1}, T0)
        for name, desk in enumerate(place.desks)
        for number in range(2)
    ]
    events.append(ReportedEvent("alone", place.desks[1].key, "penny", {"calls": 3}, T0))
    return in_bulk(lambda: record_events(gateway=place.gateway, events=events, at=LATER))


def in_bulk(report: Callable[[], Any]) -> Road:
    def again() -> list[Any]:
        return [(row.refusal, row.ended) for row in report()]

    return Road(report, again)


@dataclass
class Moments:
    """Before the first statement, after each, and after each commit, once before its answer is heard and once
    after that. At one of them, by its number, the connection of this thread is ended. `books`: what has been
    written at each, if it is at none.
    """

    end: Callable[[], None]
    at: int | None = None
    passed: list[str] = field(default_factory=list)
    books: list[dict[str, Any]] = field(default_factory=list)
    _own: int = field(default_factory=threading.get_ident)

    def passes(self, name: str) -> bool:
        """Whether the connection has been ended now."""
        self.passed.append(name)
        if self.at is None:
            (written,) = race(books)
            assert isinstance(written, dict)
            self.books.append(written)
        if len(self.passed) - 1 != self.at:
            return False
        self.end()
        return True

    @contextmanager
    def watched(self) -> Iterator[None]:
        execute, commit = psycopg.Cursor.execute, psycopg.Connection.commit

        def executed(cursor: psycopg.Cursor[Any], statement: Any, *args: Any, **more: Any) -> Any:
            if not self._is_own(cursor.connection):
                return execute(cursor, statement, *args, **more)
            if not self.passed:
                self.passes("")
            result = execute(cursor, statement, *args, **more)
            self.passes(str(statement))
            return result

        def committed(of: psycopg.Connection[Any]) -> None:
            commit(of)
            if self._is_own(of):
                if self.passes("COMMIT, of which nobody hears"):
                    raise psycopg.OperationalError("the connection is lost")
                self.passes("COMMIT")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg.Cursor, "execute", executed)
            patch.setattr(psycopg.Connection, "commit", committed)
            yield

    def _is_own(self, of: psycopg.Connection[Any]) -> bool:
        return threading.get_ident() == self._own and of is connection.connection


def hang_up(killer: psycopg.Connection[Any]) -> None:
    """The network is gone, so the server hears that there is nobody, and has ended when this returns."""
    info = connection.connection.info
    pid = info.backend_pid
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
    while killer.execute("SELECT 1 FROM pg_stat_get_activity(%s)", [pid]).fetchone():
        pass


def books() -> dict[str, Any]:
    """All amounts in cents, under names that do not change from one run to the next."""
    holds: dict[UUID | None, str] = {None: "none"}
    holds.update(Reservation.objects.values_list("id", "request_id"))
    return {
        "holds": sorted(
            (row.request_id, row.state, row.left_quota_nanousd / PENNY, row.left_credits_nanousd / PENNY)
            for row in Reservation.objects.all()
        ),
        "events": Counter(
            (
                row.external_id or f"{holds[row.reservation_id]} {row.draw_id}",
                row.from_quota_nanousd / PENNY,
                row.from_credits_nanousd / PENNY,
                row.overrun_nanousd / PENNY,
            )
            for row in UsageEvent.objects.all()
        ),
        "buckets": sorted(
            (row.seat_id, row.rule, row.starts_at, row.used_nanousd / PENNY)
            for row in UsageBucket.objects.all()
        ),
        "lots": [lot.remaining_nanousd / PENNY for lot in CreditGrant.objects.order_by("pk")],
        "ledger": sorted(CreditLedgerEntry.objects.values_list("grant_id", "kind", "amount_nanousd")),
        "months": sorted(CreditMonth.objects.values_list("membership_id", "used_nanousd")),
    }


def functions(statements: Sequence[str]) -> list[str]:
    """The functions of the database that a batch asks, in turn, and its commits that are heard of."""
    found = (re.search(r"quota_(?!gateway)\w+(?=\()|^COMMIT$", one) for one in statements)
    return [one[0] for one in found if one]


def answers_to(road: Road) -> bool:
    """Whether the batch is answered, and does not say that the database is away."""
    try:
        road.at_once()
    except OperationalError:
        return False
    return True


ALONE = ["quota_call_state", "quota_usable_credits", "quota_write_charge", "quota_write_draws", "COMMIT"]
GATHERED = ["quota_write_charges", "quota_write_draws", "COMMIT"]
ROADS = [
    (authorizing, 100, ["quota_gather_calls", "quota_usable_of_many", "quota_write_holds", "COMMIT"]),
    (settling, 100, ["quota_gather_holds", "quota_locked_lots", *GATHERED]),
    pytest.param(
        drawing, 100, ["quota_gather_holds", "quota_locked_lots", *GATHERED, "COMMIT"], marks=pytest.mark.slow
    ),
    pytest.param(
        drawing,
        4,
        ["quota_gather_holds", "quota_locked_lots", *GATHERED] * 2 + ["COMMIT"],
        marks=pytest.mark.slow,
    ),
    pytest.param(
        recording,
        100,
        ["quota_gather_events", "quota_write_charges", "COMMIT", *ALONE, "COMMIT"],
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize("end", many([hang_up, kill_own_backend]))
@pytest.mark.parametrize(("make", "rows_at_once", "asked"), ROADS)
def test_whenever_a_batch_loses_its_connection_all_of_it_is_written_or_nothing_and_it_is_charged_once(
    place: Place,
    make: Callable[[Place], Road],
    rows_at_once: int,
    asked: list[str],
    end: Callable[[psycopg.Connection[Any]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "ROWS_AT_ONCE", rows_at_once)
    road, before = make(place), books()
    with connected_beside() as killer:
        rows = SavedRows(killer)
        rows.save()
        road.at_once()  # so that what is kept of keys and plans is there
        rows.restore()
        undisturbed = Moments(lambda: end(killer))
        with undisturbed.watched():
            road.at_once()
        assert functions(undisturbed.passed) == asked
        after, changed, answers = books(), rows.changed(), road.again()
        assert before != after == books()
        rows.restore()

        for number, name in enumerate(undisturbed.passed):
            moment = number, name
            written = undisturbed.books[number]
            lost = Moments(lambda: end(killer), at=number)
            with lost.watched():
                is_answered = answers_to(road)
            connection.close()
            # Where the road for one sends statements ahead of their answers, one more is sent.
            assert lost.passed[: number + 1] == undisturbed.passed[: number + 1], moment
            assert is_answered == (number == len(undisturbed.passed) - 1), moment
            assert books() == written, moment
            if written in (before, after):
                assert rows.changed() == (changed if written == after else set()), moment
            assert road.again() == answers, moment
            assert road.again() == answers, moment
            assert books() == after, moment
            assert [str(found) for found in differences(LATER)] == [], moment
            rows.restore()
    # Nothing is written between: what there is comes with a commit.
    commits = [number for number, name in enumerate(undisturbed.passed) if name.startswith("COMMIT, of")]
    for number, (one, another) in enumerate(pairwise(undisturbed.books), 1):
        assert one == another or number in commits


def test_control_without_a_transaction_half_of_a_batch_is_written(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    road = settling(place)
    monkeypatch.setattr(gathered_draws, "transaction", SimpleNamespace(atomic=nullcontext))
    with connected_beside() as killer:
        kills = Moments(lambda: kill_own_backend(killer), at=3)
        with kills.watched():
            assert not answers_to(road)
    connection.close()
    assert functions(kills.passed[-1:]) == ["quota_write_charges"]
    found = books()
    assert (found["events"].total(), found["lots"]) == (4, [4, 6, 4, 6])
    assert {kind for _, kind, _ in found["ledger"]} == {"purchase"}
    assert [*differences(LATER)]
