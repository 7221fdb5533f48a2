"""`manage.py migrate` may take as long as it takes, waits for no lock for long, and is tried again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate as django_migrate
from django.db import OperationalError, connection, connections, transaction
from pytest_django.fixtures import Settings

from tests.helpers.races import waiting
from tokenplan.management.commands import migrate

LIMITS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")


def limits(column: str = "setting") -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT name, {column} FROM pg_settings WHERE name = ANY(%s)", [[*LIMITS]])
        found = dict(cursor.fetchall())
    return [found[name] for name in LIMITS]


def parameters() -> dict[str, Any]:
    return {**connection.get_connection_params(), "cursor_factory": None}


def migrating(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """In the place of Django's own command."""
    monkeypatch.setattr(django_migrate.Command, "handle", lambda *args, **options: work())


def changed_table() -> None:
    """What ALTER TABLE begins with."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE teams_team IN ACCESS EXCLUSIVE MODE")


@contextmanager
def reader() -> Iterator[psycopg.Connection[Any]]:
    """Somebody reads the table, in a transaction that stays open."""
    with psycopg.connect(**parameters()) as connected:
        connected.execute("SELECT count(*) FROM teams_team")
        yield connected


@pytest.mark.django_db
def test_a_migration_has_no_limit_but_for_locks_and_what_follows_it_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[list[str]] = []
    migrating(monkeypatch, lambda: seen.append(limits()))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '7s'")
    call_command("migrate", verbosity=0)
    assert seen == [["500", "0", "0"]]
    assert limits() == limits("reset_val")


@pytest.mark.django_db(transaction=True)
def test_a_migration_behind_a_reader_is_tried_again_and_says_who_that_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = []

    def work() -> None:
        tries.append("try")
        changed_table()

    migrating(monkeypatch, work)
    said = io.StringIO()
    with reader() as reading:
        pid = reading.info.backend_pid
        # Between the first two tries nobody ends; after the second, the reader does.
        monkeypatch.setattr(migrate, "pause", lambda: reading.rollback() if len(tries) == 2 else None)
        call_command("migrate", verbosity=0, stderr=said)
    assert tries == ["try"] * 3
    lines = said.getvalue().splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith(f"Waiting for a lock, tried again in 5 s: process {pid} (")
        assert line.endswith("is in the way; its query: SELECT count(*) FROM teams_team")
    assert limits() == limits("reset_val")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_migration_that_never_gets_its_lock_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "TRIES", 2)
    pauses: list[None] = []
    monkeypatch.setattr(migrate, "pause", lambda: pauses.append(None))
    migrating(monkeypatch, changed_table)
    with reader() as reading:
        pid = reading.info.backend_pid
        with pytest.raises(CommandError, match=rf"^No migration can be applied: process {pid} \("):
            call_command("migrate", verbosity=0, stderr=io.StringIO())
    assert pauses == [None]


@pytest.mark.django_db(transaction=True)
def test_another_failure_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def work() -> None:
        tries.append("try")
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 10; SELECT pg_sleep(10)")

    migrating(monkeypatch, work)
    with pytest.raises(OperationalError, match="statement timeout"):
        call_command("migrate", verbosity=0)
    assert tries == ["try"]


def read_behind_a_migration() -> Exception | None:
    """What becomes of a read behind a migration behind a reader, if it waits as long as a call does."""
    with reader(), ThreadPoolExecutor(1) as pool:
        migration = pool.submit(_migrate)
        waiting("relation", 1)
        try:
            with psycopg.connect(**parameters()) as call:
                call.execute("SELECT count(*) FROM teams_team")
        except psycopg.errors.LockNotAvailable as error:
            return error
        finally:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE 'LOCK TABLE%'"
                )
            migration.exception()
    return None


def _migrate() -> None:
    try:
        call_command("migrate", verbosity=0, stderr=io.StringIO())
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_calls_that_come_behind_a_migration_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    migrating(monkeypatch, changed_table)
    monkeypatch.setattr(migrate, "TRIES", 1)
    assert read_behind_a_migration() is None


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_they_were_not_while_a_migration_waited_for_its_lock_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    migrating(monkeypatch, changed_table)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 60_000)
    assert isinstance(read_behind_a_migration(), psycopg.errors.LockNotAvailable)


@pytest.mark.django_db(transaction=True)
def test_migrations_go_to_the_direct_address_and_what_follows_to_the_other_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, seen = connection.settings_dict, []
    settings.DIRECT_DATABASE = {
        **{name: given[name] for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD")},
        "OPTIONS": {"application_name": "direct"},
    }

    def name() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW application_name")
            return str(cursor.fetchone()[0])

    migrating(monkeypatch, lambda: seen.append(name()))
    call_command("migrate", verbosity=0)
    assert seen == ["direct"]
    assert name() == "tokenplan"
    assert connection.settings_dict is given


def limits_of(role: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase"
            " WHERE datname = current_database() AND setrole = %s::regrole",
            [role],
        )
        return {setting for (setting,) in cursor.fetchall()}


@pytest.fixture
def reads_the_replica(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name that another role has in DATABASE_REPLICA_URL."""
    role = "reads_the_replica"
    monkeypatch.setitem(settings.DATABASES, "replica", {"USER": role})
    return role


@pytest.mark.django_db
def test_the_role_that_reads_the_replica_has_the_same_limits(
    reads_the_replica: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrating(monkeypatch, lambda: None)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {reads_the_replica} LOGIN")
    call_command("migrate", verbosity=0)
    assert limits_of(reads_the_replica) == {
        "lock_timeout=3000ms",
        "statement_timeout=30000ms",
        "idle_in_transaction_session_timeout=60000ms",
    }


@pytest.mark.django_db
def test_of_a_role_that_cannot_be_limited_it_is_said_how_to_do_it(
    reads_the_replica: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrating(monkeypatch, lambda: None)
    said = io.StringIO()
    call_command("migrate", verbosity=0, stderr=said)
    name = connection.settings_dict["NAME"]
    assert f'role "{reads_the_replica}" does not exist' in said.getvalue()
    how = f'ALTER ROLE "{reads_the_replica}" IN DATABASE "{name}" SET statement_timeout = \'30000ms\';'
    assert how in said.getvalue()
