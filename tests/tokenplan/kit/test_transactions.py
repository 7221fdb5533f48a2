"""How long a transaction of a service may wait, run and sit still."""

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from tokenplan.kit.transactions import one_transaction


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
        assert settings()[0] != "3s"


@pytest.mark.django_db(transaction=True)
def test_what_is_read_outside_of_a_transaction_ends_after_a_minute() -> None:
    with psycopg.connect(**{**connection.get_connection_params(), "cursor_factory": None}) as fresh:
        assert fresh.execute("SHOW statement_timeout").fetchone() == ("1min",)
