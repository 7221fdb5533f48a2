"""Where a request reads: from the replica until it writes."""

from __future__ import annotations

import threading
import time

import pytest
from django.contrib.sessions.models import Session
from django.db import DatabaseError

from teams.models import Team, User
from tokenplan.kit import replica
from tokenplan.kit.replica import REPLICA, Nearness, Router, reading, reads_from
from tokenplan.kit.transactions import one_transaction

ROUTER = Router()


def test_without_a_request_everything_is_read_from_the_primary() -> None:
    assert (reads_from(), ROUTER.db_for_read(Team)) == ("default", "default")
    assert ROUTER.db_for_write(Team) == "default"


def test_inside_everything_is_read_there_but_what_lets_people_in() -> None:
    with reading(REPLICA):
        assert ROUTER.db_for_read(Team) == REPLICA
        assert ROUTER.db_for_read(User) == "default"
        assert ROUTER.db_for_read(Session) == "default"
    assert ROUTER.db_for_read(Team) == "default"


def test_from_its_first_write_on_a_request_reads_from_the_primary() -> None:
    with reading(REPLICA) as reads:
        assert not reads.wrote
        assert ROUTER.db_for_write(Team) == "default"
        assert (reads_from(), reads.wrote) == ("default", True)


@pytest.mark.django_db
def test_a_service_writes_whatever_its_statements_are() -> None:
    with reading(REPLICA) as reads, one_transaction():
        assert (reads_from(), reads.wrote) == ("default", True)


def test_another_thread_reads_from_the_primary() -> None:
    seen = []
    with reading(REPLICA):
        thread = threading.Thread(target=lambda: seen.append(reads_from()))
        thread.start()
        thread.join()
    assert seen == ["default"]


def test_rows_of_both_may_be_put_together_and_only_the_primary_is_migrated() -> None:
    assert ROUTER.allow_relation(Team(), Team())
    assert ROUTER.allow_migrate("default", "teams")
    assert not ROUTER.allow_migrate(REPLICA, "teams")


def test_one_that_does_not_answer_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    class Away(dict[str, object]):
        def __getitem__(self, alias: str) -> object:
            asked.append(alias)
            raise DatabaseError("no route to host")

    monkeypatch.setattr(replica, "connections", Away())
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    nearness = Nearness(10)
    assert not nearness.is_near("0/0", (DatabaseError,))
    now[0] += 9.9
    assert not nearness.is_near("0/0", (DatabaseError,))
    assert asked == [REPLICA]
    now[0] += 0.1
    assert not nearness.is_near("0/0", (DatabaseError,))
    assert asked == [REPLICA, REPLICA]
    assert [record.message for record in caplog.records] == [
        "Pages read from the primary: the replica does not answer: no route to host"
    ] * 2


@pytest.mark.parametrize("text", ["", "0", "0/", "G/0", "0/123456789", "0/0 ", "0/0; DROP", "٣/٠"])
def test_what_is_no_position_is_known(text: str) -> None:
    assert not replica.POSITION.fullmatch(text)
    for position in (replica.NO_POSITION, replica.LAST_POSITION, "16/B374D848"):
        assert replica.POSITION.fullmatch(position)


@pytest.mark.django_db
def test_a_position_is_where_the_log_ends_now() -> None:
    assert replica.POSITION.fullmatch(replica.position())
