"""An installation to measure: a database and the product's own web server in front of it. Removed afterwards.

With DATABASE_URL or REDIS_URL set, those servers are used, with a new database; otherwise embedded ones are
started, as durable as the product's. Several may run at once. Nothing here imports Django: its settings are
read from the environment, which each process gets from here.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

from tokenplan.runtime import environment, folders
from tokenplan.runtime.embedded import Postgres, embedded_servers
from tokenplan.runtime.programs import web_server
from tokenplan.runtime.supervisor import Program, Stopped, Supervisor, answers

HOST = "127.0.0.1"
START_SECONDS = 120
# Calls of a stuck key are refused by the hundred, each with a warning that would hide what the run says.
VARIABLES = {"DJANGO_SETTINGS_MODULE": "tokenplan.settings", "LOG_LEVEL": "ERROR"}


@dataclass(frozen=True)
class Person:
    """A Team's Owner who is signed in: the Team's address, the id of the membership, the key, and the cookie
    of the session.
    """

    slug: str
    membership: int
    key: str
    cookie: str


@dataclass(frozen=True)
class Scratch:
    """`dsn` is for libpq; the credentials are for the API at 127.0.0.1:`port`, which the process `web_pid`
    and its children answer.

    `keys` are of members with a seat, each in a Team of its own. `pooled` are of members of one Team whose
    windows have no room, so that the Team's Credits pay; `apart` are the same, each in a Team of its own.
    """

    dsn: str
    port: int
    web_pid: int
    gateway_key: str
    keys: list[str]
    pooled: list[str]
    apart: list[str]
    owner: Person
    variables: Mapping[str, str]

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.dsn, autocommit=True)

    def run(self, *arguments: str) -> str:
        """What Python prints with these arguments, in the environment of this installation. Raises
        RuntimeError.
        """
        return _run(self.variables, *arguments)


@contextlib.contextmanager
def scratch(keys: int) -> Iterator[Scratch]:
    """An installation with so many keys of each kind, whose web server answers on a free port.

    Every process that it starts is gone afterwards, also after Ctrl-C.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        web = web_server(host=HOST, port=port, data=data)
        with _database(data) as (dsn, url):
            variables = {**VARIABLES, "DATA": folder, **url}
            with environment_of(variables):
                supervisor = Supervisor(data=data, servers=embedded_servers(data), programs=[web])
            try:
                with supervisor.started(description="a benchmark"):
                    made = json.loads(_run(variables, "-m", "benchmarks.furnish", str(keys)))
                    made["owner"] = Person(**made["owner"])
                    start(web, variables, port)
                    yield Scratch(dsn, port, pid_of(web), **made, variables=variables)
            except Stopped:
                sys.exit("Stopped.")


@contextlib.contextmanager
def serving(program: Program, variables: Mapping[str, str], port: int) -> Iterator[int]:
    """A program beside an installation that answers `/healthz` on this port; yields its process number."""
    try:
        start(program, variables, port)
        yield pid_of(program)
    finally:
        program.terminate()
        if program.child:
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.child.wait(10)
        program.kill_orphans()


def start(program: Program, variables: Mapping[str, str], port: int) -> None:
    """Starts a program and waits until it answers. What it has to say, it says to the terminal."""
    with environment_of(variables):
        program.start()
    deadline = time.monotonic() + START_SECONDS
    while not answers(HOST, port):
        if time.monotonic() > deadline or not program.alive():
            raise RuntimeError(f"The {program.name} did not start on port {port}.")
        time.sleep(0.1)


def pid_of(program: Program) -> int:
    if program.child is None:
        raise RuntimeError(f"The {program.name} has not been started.")
    return program.child.pid


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def environment_of(variables: Mapping[str, str], *, alone: bool = False) -> Iterator[None]:
    """Inside, these variables are set too, or `alone`; what is started there keeps them."""
    before = dict(os.environ)
    if alone:
        os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _database(data: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of the database, for libpq and as variables: the embedded one's, or of a new one on the
    server given.
    """
    server = environment.text("DATABASE_URL")
    if not server:
        yield f"host={folders.socket_folder(data)} user=postgres dbname=tokenplan", {}
        return
    name = f"tokenplan_benchmark_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    try:
        yield url, {"DATABASE_URL": url}
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _run(variables: Mapping[str, str], *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folders.ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed.\n{result.stdout}{result.stderr}")
    return result.stdout


def value_of(
    connection: psycopg.Connection[tuple[object, ...]], statement: str, values: Sequence[object] = ()
) -> Any:
    """The one value that a statement answers; the statement is a text of ours."""
    row = connection.execute(statement.encode(), values or None).fetchone()
    return row[0] if row else None


def postgres_program(name: str) -> str | None:
    """One of PostgreSQL's programs, by its path: on PATH, the system's, or the embedded one's, if any."""
    system = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    wheel = Postgres(folders.data_folder()).programs / name
    found = [shutil.which(name), *map(str, reversed(system)), str(wheel)]
    return next((path for path in found if path and _works(path)), None)


def _works(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
