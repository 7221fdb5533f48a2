"""PostgreSQL ends a connection in the middle of each write, after each of its statements: the write is there
or it is not, whoever asked is told to come again, and coming again ends well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.helpers import writes
from tests.helpers.address_table import TEAMS
from tests.helpers.lost_connections import Call, Thread, one_thread
from tests.helpers.saved_rows import SavedRows
from tests.helpers.writes import AWAY, Write
from tests.helpers.writes_of_accounts import writes_of_accounts
from tests.helpers.writes_of_operators import verbs_of_the_desk, writes_of_operators
from tests.keepers import test_tenancy as tenancy
from tests.keepers.test_tenancy import Scene

pytestmark = pytest.mark.django_db(transaction=True)

KINDS: dict[str, Callable[[Scene], Iterator[Write]]] = {
    "pages of a Team": lambda scene: writes.writes_of_a_team(scene, api=False),
    "API of a Team": lambda scene: writes.writes_of_a_team(scene, api=True),
    "one's own": writes.writes_of_ones_own,
    "newcomers": writes.writes_of_newcomers,
    "gateways": writes.writes_of_gateways,
    "Stripe": writes.writes_of_stripe,
    "accounts": lambda _scene: writes_of_accounts(),
    "operators": lambda scene: writes_of_operators(with_newcomers(scene)),
}
# Some page that asks the database and needs no credential.
PROBE = Call("probe", "GET", "/api/v1/plans")
# Before the first statement that locks or writes, and among those that only count how often somebody tried.
READ = {0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89}
WRITES = re.compile(
    r"\s*(INSERT|UPDATE|DELETE|SET LOCAL|SAVEPOINT|WITH)|.*(FOR (NO KEY )?UPDATE|quota_\w+\()", re.S
)
# 403: who has handed the Team over may not do it again.
ENDS_WELL = {200, 201, 204, 302, 403, 404, 409, 422}
# They have no method that writes.
ONLY_READ = {
    *("account", "account-bars", "account-tokens-csv", "moments", "plans-choose", "api-my-usage"),
    *("mfa_download_recovery_codes", "mfa_index", "mfa_view_recovery_codes"),
    *("api-rate-card", "api-reservation", "api-reservations", "api-refusals", "api-usage-refusals"),
    *("api-balance", "api-usage", "api-receipts", "api-receipts-csv", "api-receipt", "api-series"),
    *("home", "plans", "promotions", "models", "quickstart", "tools", "tool", "faq", "schema"),
    *("docs", "docs-found", "docs-page", "api-promotions", "api-plans", "api-models", "api-docs"),
    *("remains", "remains-legacy", "query-balance"),
}


def with_newcomers(scene: Scene) -> Scene:
    """What newcomers come by is there, for operators to end."""
    list(writes.writes_of_newcomers(scene))
    return scene


@pytest.fixture
def thread(transactional_db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Thread]:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)
    settings.BASE_URL = "http://localhost:8000"  # where passkeys can be added
    with one_thread() as thread:
        yield thread


@dataclass
class Walk:
    """Each write from the same rows. `wrong` says what was wrong, and after how many statements."""

    thread: Thread
    rows: SavedRows
    wrong: list[tuple[object, ...]] = field(default_factory=list)
    kills: int = 0

    def walk(self, write: Write) -> None:
        status, statements = self.thread.answer_and_note(write.call)
        done = self.rows.taken_back()
        if not write.why and (status >= 400 or not done):
            self._note(write, "it is not written", status)
        for after in points(statements):
            self.kills += 1
            self._kill(write, status, done, after)
        again = self.thread.answer(write.call), self.rows.taken_back()
        if again != (status, done):
            self._note(write, "after all this", *again)

    def _kill(self, write: Write, status: int, done: set[str], after: int) -> None:
        got, _lost = self.thread.answer_and_lose(write.call, after=after)
        if got not in (503, status) and got not in write.refused:
            self._note(write, after, got)
        if self.thread.is_in_a_transaction():
            self._note(write, after, "a transaction is left open")
        if self.thread.answer(PROBE) != 200:
            self._note(write, after, "the next request of the thread fails")
        written = self.rows.changed() - write.alone
        said_done = got == status and status < 400
        in_steps = not said_done and (write.steps or write.why == AWAY)
        if written != done - write.alone and (said_done or (written and not in_steps)):
            self._note(write, after, got, "not all of it", *sorted(written))
        if written:
            again = self.thread.answer(write.call)
            if again not in (ENDS_WELL | ({503} if write.why == AWAY else set())):
                self._note(write, after, "again", again)
        self.rows.restore()

    def _note(self, write: Write, *what: object) -> None:
        self.wrong.append((write.call.name, write.call.method, *what))


def points(statements: list[str]) -> list[int]:
    """After how many statements the connection is ended: each from the first that writes to the last."""
    writing = [number for number, statement in enumerate(statements) if WRITES.match(statement)]
    first, last = (writing[0], writing[-1] + 1) if writing else (0, 0)
    counting = {number for number, statement in enumerate(statements) if "tokenplan_cache" in statement}
    return [
        after
        for after in range(len(statements) + 1)
        if after in READ or (first <= after <= last and after - 1 not in counting)
    ]


def begin(thread: Thread, make: Callable[[Scene], Iterator[Write]]) -> tuple[Walk, list[Write]]:
    made = list(make(writes.everything()))
    rows = SavedRows(thread.killer)
    rows.save()
    return Walk(thread, rows), made


def test_every_address_that_is_not_only_read_is_written(thread: Thread) -> None:
    scene = writes.everything()
    kinds = {**KINDS, "operators": writes_of_operators}  # what newcomers come by is there by then
    written = {write.call.name for make in kinds.values() for write in make(scene)}
    named = {str(pattern.name) for _, pattern in tenancy.addresses()}

    assert {name for name, address in TEAMS.items() if set(address.methods) != {"GET"}} <= written
    assert named - written - set(TEAMS) == ONLY_READ
    assert verbs_of_the_desk() <= written


@pytest.mark.parametrize(
    ("kind", "name"), [("pages of a Team", "team-seat-assign"), ("gateways", "api-draw")]
)
def test_one_of_a_kind_is_there_or_not(thread: Thread, kind: str, name: str) -> None:
    walk, made = begin(thread, KINDS[kind])
    chosen = [write for write in made if write.call.name == name]
    for write in chosen:
        walk.walk(write)
    assert walk.wrong == []
    assert walk.kills > 5 * len(chosen) > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_write_that_loses_its_connection_is_there_or_not_and_can_be_asked_again(
    thread: Thread, kind: str
) -> None:
    walk, made = begin(thread, KINDS[kind])
    for write in made:
        walk.walk(write)
    assert walk.wrong == []
    assert walk.kills > 4 * len(made)
