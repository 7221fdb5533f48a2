"""How long a transaction of a service may wait, run and sit still."""

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg.errors import LockNotAvailable, QueryCanceled

from teams.models import User
from tokenplan.kit.transactions import (
    LIMITS_OF_ROLE,
    ROWS_AT_ONCE,
    STATEMENT_TIMEOUT_MS,
    broken_constraint,
    limit_role,
    one_transaction,
    streamed,
)


def settings() -> list[str]:
    found = []
    with connection.cursor() as cursor:
        for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SHOW {name}")
            found.append(cursor.fetchone()[0])
    return found


@pytest.mark.django_db(transaction=True)
def test_a_transaction_has_its_own_limits_and_leaves_none_behind() -> None:
    before = settings()
    with one_transaction():
        assert settings() == ["3s", "30s", "1min"]
    with one_transaction(statement_timeout_ms=300_000):
        assert settings() == ["3s", "5min", "1min"]
    assert settings() == before


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_takes_too_long_is_an_error_of_the_database() -> None:
    with (
        pytest.raises(OperationalError, match="statement timeout"),
        one_transaction(statement_timeout_ms=20),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT count(*) FROM generate_series(1, 1000000000)")
    with transaction.atomic():
        assert settings() == ["3s", "30s", "1min"]


def connected() -> psycopg.Connection[Any]:
    """As any program connects that has our address: a page's read, an operator's command, psql."""
    return psycopg.connect(**{**connection.get_connection_params(), "cursor_factory": None})


@pytest.mark.django_db(transaction=True)
def test_whatever_sets_no_limits_has_those_of_the_role() -> None:
    with connected() as fresh:
        found = {
            name: fresh.execute("SELECT setting::int FROM pg_settings WHERE name = %s", [name]).fetchone()
            for name in LIMITS_OF_ROLE
        }
    assert found == {name: (milliseconds,) for name, milliseconds in LIMITS_OF_ROLE.items()}


@pytest.mark.django_db(transaction=True)
def test_the_roles_limits_follow_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with transaction.atomic():
        monkeypatch.setitem(LIMITS_OF_ROLE, "lock_timeout", 1234)
        with CaptureQueriesContext(connection) as first:
            limit_role(connection)
        with CaptureQueriesContext(connection) as again:
            limit_role(connection)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase"
                " WHERE datname = current_database() AND setrole = current_user::regrole"
            )
            (there,) = cursor.fetchone()
        transaction.set_rollback(True)
    assert [query["sql"] for query in first][-1].endswith("SET lock_timeout = '1234ms'")
    assert len(again) == 2  # it only reads
    assert {"lock_timeout=1234ms", "statement_timeout=30000ms"} <= {*there}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("function", ["quota_limit_batch", "quota_limit_transaction"])
def test_the_statement_that_decides_a_call_is_ended_by_the_roles_limit_and_not_by_its_functions(
    function: str,
) -> None:
    """A statement is timed by what holds when it begins, so what it sets itself is for those after it."""
    with connected() as fresh:
        fresh.execute("SET statement_timeout = 50")  # in the place of what the role has
        fresh.commit()
        with pytest.raises(QueryCanceled):
            fresh.execute(f"SELECT {function}(), pg_sleep(5)")
        fresh.rollback()
        fresh.execute(f"SELECT {function}()")
        after = fresh.execute("SHOW statement_timeout").fetchone()
    assert after == ({"quota_limit_batch": "10s", "quota_limit_transaction": "30s"}[function],)
    assert LIMITS_OF_ROLE["statement_timeout"] == STATEMENT_TIMEOUT_MS == 30_000


@pytest.mark.django_db(transaction=True)
def test_a_wait_for_a_lock_is_timed_by_what_the_statement_itself_has_set() -> None:
    """Other than a statement, it is timed when it begins to wait."""
    sets_and_waits = """DO $$ BEGIN
        PERFORM set_config('lock_timeout', '50ms', true);
        LOCK TABLE teams_team IN EXCLUSIVE MODE;
    END $$"""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE teams_team IN EXCLUSIVE MODE")
        with connected() as fresh, pytest.raises(LockNotAvailable):
            fresh.execute("SET lock_timeout = 0; SET statement_timeout = '10s'")
            fresh.execute(sets_and_waits)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_plain_write_waits_for_a_lock_as_long_as_a_service_does() -> None:
    """The admin, for one, writes in transactions that set no limits."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE teams_team IN EXCLUSIVE MODE")
        with connected() as fresh, pytest.raises(LockNotAvailable):
            fresh.execute("UPDATE teams_team SET name = name")


@pytest.mark.django_db(transaction=True)
def test_rows_are_read_as_they_are_taken_by_one_query_whose_cursor_the_database_keeps() -> None:
    people = [User(email=f"p{number:04}@example.com") for number in range(ROWS_AT_ONCE + 1)]
    User.objects.bulk_create(people)
    rows = streamed(User.objects.order_by("email"))
    with CaptureQueriesContext(connection) as queries:
        first = next(rows)
        assert open_cursors() == 1
        read = [first, *rows]
    assert open_cursors() == 0
    assert not connection.in_atomic_block
    assert [person.email for person in read] == [person.email for person in people]
    assert len([query for query in queries if "teams_user" in query["sql"]]) == 1


def open_cursors() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors")
        (number,) = cursor.fetchone()
    return int(number)


@pytest.mark.parametrize(
    ("named", "message", "constraint"),
    [
        (
            "one_event_per_id",
            'duplicate key value violates unique constraint "other_102012"',
            "one_event_per_id",
        ),
        (
            None,
            'duplicate key value violates unique constraint "one_event_per_id_102012"',
            "one_event_per_id",
        ),
        (None, 'duplicate key value violates unique constraint "one_event_per_id"', ""),
        (None, None, ""),
    ],
)
def test_a_broken_constraint_is_the_one_that_is_named_or_said_by_another_server(
    named: str | None, message: str | None, constraint: str
) -> None:
    error = IntegrityError()
    error.__cause__ = _Refused(named, message)
    assert broken_constraint(error) == constraint
    assert broken_constraint(IntegrityError()) == ""


class _Refused(Exception):
    """What the driver raises, with what the database has said."""

    def __init__(self, constraint_name: str | None, message_primary: str | None) -> None:
        super().__init__(message_primary)
        self.diag = SimpleNamespace(constraint_name=constraint_name, message_primary=message_primary)
