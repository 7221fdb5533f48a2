"""A database to measure on, with the product's own web server before it. Gone afterwards.

With DATABASE_URL set it is a new database on that server; else an embedded PostgreSQL of its own, as durable
as the product's. Nothing here imports Django: the environment has to be complete before anything does.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tokenplan import environment
from tokenplan.embedded import Postgres, servers_in_use
from tokenplan.management.commands.up import programs
from tokenplan.processes import kill_group, spawn
from tokenplan.sockets import socket_folder


@dataclass(frozen=True)
class Scratch:
    """`dsn` is for libpq; the credentials are for the API at 127.0.0.1:`port`."""

    dsn: str
    port: int
    gateway_key: str
    keys: list[str]

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.dsn, autocommit=True)


@contextlib.contextmanager
def scratch(seats: int) -> Iterator[Scratch]:
    """An installation with `seats` seats, each with a key, that answers on a free port."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        data = Path(folder)
        os.environ["DATA"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "tokenplan.settings"
        dsn = stack.enter_context(_given_server() if environment.text("DATABASE_URL") else _own_server(data))
        made = json.loads(_run("-m", "benchmarks.furnish", str(seats)))
        port = stack.enter_context(_web_server(data / "web.log"))
        yield Scratch(dsn, port, made["gateway_key"], made["keys"])


@contextlib.contextmanager
def _own_server(data: Path) -> Iterator[str]:
    with servers_in_use(data, [Postgres(data)]):
        yield f"host={socket_folder(data)} user=postgres dbname=tokenplan"


@contextlib.contextmanager
def _given_server() -> Iterator[str]:
    server = environment.text("DATABASE_URL")
    name = f"tokenplan_benchmark_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    os.environ["DATABASE_URL"] = url
    try:
        yield url
    finally:
        os.environ["DATABASE_URL"] = server
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def _web_server(log: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    web = programs("127.0.0.1", port)[0]
    server = spawn(web.command, log=log, folder=environment.ROOT, dies_with_parent=signal.SIGTERM)
    try:
        deadline = time.monotonic() + 60
        while not _serves(port):
            if time.monotonic() > deadline or server.poll() is not None:
                raise RuntimeError(f"The web server did not start.\n{log.read_text()}")
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        kill_group(server.pid)


def _serves(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _run(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    result = subprocess.run(command, cwd=environment.ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed.\n{result.stdout}{result.stderr}")
    return result.stdout


def program(name: str) -> str | None:
    """A PostgreSQL program: on PATH, of the system, or of the embedded server's wheel. None: nowhere."""
    system = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    wheel = Postgres(environment.data_folder()).programs / name
    found = [shutil.which(name), *map(str, reversed(system)), str(wheel)]
    return next((path for path in found if path and _works(path)), None)


def _works(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
