"""The embedded servers: they keep what they acknowledged through kill -9, and stop with their last user."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tokenplan.runtime import folders
from tokenplan.runtime.embedded import (
    Postgres,
    Redis,
    embedded_servers,
    servers_for_command,
    servers_in_use,
    servers_locked,
)
from tokenplan.runtime.failures import ServerFailed

pytestmark = pytest.mark.processes


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty DATA, and no servers named by the environment. Whatever a test leaves running is stopped."""
    folder = tmp_path / "data"
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA", str(folder))
    yield folder
    for server in embedded_servers(folder):
        server.stop()


def psql(postgres: Postgres) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(host=str(postgres.sockets), user="postgres", dbname="tokenplan", autocommit=True)


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


def test_postgres_keeps_what_it_committed_through_a_kill(data: Path) -> None:
    postgres = Postgres(data)
    with servers_locked(data):
        postgres.start()
    with psql(postgres) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW server_version_num").fetchone() >= ("180000",)  # type: ignore[operator]
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    kill(postgres.pid())
    with servers_locked(data):
        postgres.start()
    with psql(postgres) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (42,)
    postgres.stop()
    assert postgres.pid() is None
    assert not postgres.answers()


@pytest.mark.slow
def test_a_pid_file_with_the_number_of_another_process_is_ignored(data: Path) -> None:
    postgres = Postgres(data)
    with servers_locked(data):
        postgres.start()
    pid_file = postgres.cluster / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.stop()
    # As after a reboot: the number is now another process's, of the same account.
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert postgres.pid() is None
    with servers_locked(data):
        postgres.start()
    assert postgres.answers()
    postgres.stop()


@pytest.mark.slow
def test_redis_keeps_what_it_stored_through_a_kill(data: Path) -> None:
    server = Redis(data)
    with servers_locked(data):
        server.start()
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        client.set("kept", "42")
        time.sleep(1.2)  # its file reaches the disk once a second
    kill(server.pid())
    with servers_locked(data):
        server.start()
    with redis.Redis(unix_socket_path=str(server.socket)) as client:
        assert client.get("kept") == b"42"
    server.stop()
    assert server.pid() is None


@pytest.mark.slow
def test_the_last_process_that_uses_the_servers_stops_them(data: Path) -> None:
    servers = embedded_servers(data)
    with servers_in_use(data, servers):
        with servers_for_command(["manage.py", "migrate"]):
            first = [server.pid() for server in servers]
            assert all(first)
        assert [server.pid() for server in servers] == first
    assert [server.pid() for server in servers] == [None, None]


@pytest.mark.slow
def test_servers_run_where_the_path_of_data_is_long(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = data.joinpath(*["a-folder-with-a-long-name"] * 6)
    servers = embedded_servers(deep)
    with servers_in_use(deep, servers):
        assert all(server.answers() for server in servers)
    (deep / "run").readlink().rmdir()


def test_servers_named_in_the_environment_are_not_started(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/x")
    assert [server.name for server in embedded_servers(data)] == ["Redis"]
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")
    assert embedded_servers(data) == []
    with servers_for_command(["manage.py", "migrate"]):
        assert [path.name for path in data.iterdir()] == ["run"]


@pytest.mark.slow
def test_a_command_brings_its_own_servers(data: Path) -> None:
    """Also when it is run by a Python that has no Django."""
    bare = Path(sys.base_prefix) / "bin" / "python3"
    command = [str(bare), str(folders.ROOT / "manage.py"), "migrate", "--check"]
    # By the product's settings: those of the tests have data of their own.
    process = {**os.environ, "DATA": str(data), "DJANGO_SETTINGS_MODULE": "tokenplan.settings"}
    result = subprocess.run(command, capture_output=True, text=True, env=process)
    assert result.returncode == 1, result.stderr  # nothing is migrated yet, and nothing else went wrong
    assert result.stderr == ""
    assert [server.pid() for server in embedded_servers(data)] == [None, None]
    assert not any(
        str(data) in " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])
    )


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("PG_VERSION", "17\n", "was written by PostgreSQL 17"),
        ("postgresql.conf", "no such setting\n", "PostgreSQL did not start: configuration file"),
        ("pg_hba.conf", "nonsense\n", "PostgreSQL did not start: could not load"),
    ],
)
@pytest.mark.slow
def test_a_start_that_must_fail_is_said_at_once(data: Path, file: str, content: str, says: str) -> None:
    postgres = Postgres(data)
    with servers_locked(data):
        postgres.start()
        postgres.stop()
        (postgres.cluster / file).write_text(content)
        begun = time.monotonic()
        with pytest.raises(ServerFailed, match=says):
            postgres.start()
    assert time.monotonic() - begun < 10


def test_a_broker_whose_file_is_damaged_is_said_at_once(data: Path) -> None:
    server = Redis(data)
    with servers_locked(data):
        server.start()
        server.stop()
        for file in (server.folder / "appendonlydir").glob("*.manifest"):
            file.write_text("nonsense\n")
        begun = time.monotonic()
        with pytest.raises(ServerFailed, match="Redis did not start: "):
            server.start()
    assert time.monotonic() - begun < 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PORT": "70000"}, "PORT must be from 1 to 65533, not 70000.\n"),
        ({"DATABASE_URL": "mysql://u:password@h/x"}, "DATABASE_URL must name a PostgreSQL, "),
        ({"BASE_URL": "console.example.com"}, "BASE_URL must start with http:// or https://, "),
        ({"BASE_URL": "http://console.example.com"}, "STRIPE_SECRET_KEY is not set. "),
    ],
)
def test_a_variable_that_cannot_be_used_is_one_sentence_and_starts_nothing(
    data: Path, variables: dict[str, str], sentence: str
) -> None:
    process = {**os.environ, "DJANGO_SETTINGS_MODULE": "tokenplan.settings", **variables}
    command = [sys.executable, str(folders.ROOT / "manage.py"), "up"]
    result = subprocess.run(command, capture_output=True, text=True, env=process)
    assert result.returncode == 1
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1
    assert not (data / "postgres").exists()
