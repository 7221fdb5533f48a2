"""Where the database is reached, and how long anybody waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tokenplan.runtime.databases import databases, direct_database
from tokenplan.runtime.environment import InvalidEnvironment
from tokenplan.runtime.folders import socket_folder

VARIABLES = (
    *("DATABASE_URL", "DATABASE_DIRECT_URL", "DATABASE_REPLICA_URL", "DATABASE_POOL_SIZE"),
    "TEST_DATABASE_NAME",
)


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_without_a_variable_it_is_the_embedded_one(tmp_path: Path) -> None:
    found = databases(data=tmp_path, threads=18)["default"]
    assert (found["HOST"], found["NAME"], found["USER"]) == (
        str(socket_folder(tmp_path)),
        "tokenplan",
        "postgres",
    )
    assert direct_database() is None


def test_nobody_waits_for_it_without_end_and_nothing_is_kept_in_a_session(tmp_path: Path) -> None:
    found = databases(data=tmp_path, threads=18)["default"]
    assert found["OPTIONS"] == {
        "connect_timeout": 3,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": 20_000,
        "pool": {"min_size": 1, "max_size": 22, "timeout": 3, "reconnect_timeout": 2},
        "application_name": "tokenplan",
        "server_side_binding": False,
    }
    assert found["DISABLE_SERVER_SIDE_CURSORS"]
    assert found["CONN_MAX_AGE"] == 0


def test_a_url_names_another_with_what_it_asks_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://me:secret@db.example:6432/plan?sslmode=require")
    monkeypatch.setenv("DATABASE_POOL_SIZE", "5")
    found = databases(data=tmp_path, threads=18)["default"]
    assert [found[name] for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD")] == [
        "db.example",
        6432,
        "plan",
        "me",
        "secret",
    ]
    assert found["OPTIONS"]["sslmode"] == "require"
    assert (found["OPTIONS"]["connect_timeout"], found["OPTIONS"]["pool"]["max_size"]) == (3, 5)


def test_migrations_may_have_an_address_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_DIRECT_URL", "postgres://owner@%2Frun%2Fpg/plan")
    found = direct_database()
    assert found
    assert (found["HOST"], found["NAME"], found["USER"]) == ("/run/pg", "plan", "owner")
    monkeypatch.setenv("DATABASE_DIRECT_URL", "mysql://owner:secret@h/plan")
    with pytest.raises(InvalidEnvironment) as refused:
        direct_database()
    assert str(refused.value).startswith("DATABASE_DIRECT_URL must name a PostgreSQL, ")
    assert "secret" not in str(refused.value)


def test_a_replica_is_another_database_that_nobody_waits_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "replica" not in databases(data=tmp_path, threads=18)
    monkeypatch.setenv("DATABASE_REPLICA_URL", "postgres://me@replica.example/plan")
    found = databases(data=tmp_path, threads=18)
    assert (found["replica"]["HOST"], found["replica"]["NAME"]) == ("replica.example", "plan")
    assert found["replica"]["OPTIONS"]["pool"] == {
        "min_size": 1,
        "max_size": 22,
        "timeout": 1,
        "reconnect_timeout": 2,
    }
    assert found["default"]["OPTIONS"]["pool"]["timeout"] == 3
    monkeypatch.setenv("DATABASE_REPLICA_URL", "replica.example")
    with pytest.raises(InvalidEnvironment, match="DATABASE_REPLICA_URL"):
        databases(data=tmp_path, threads=18)
