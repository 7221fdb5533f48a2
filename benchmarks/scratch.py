"""An installation to measure: a database and the product's own web server in front of it. Removed afterwards.

With DATABASE_URL or REDIS_URL set, those servers are used, with a new database; otherwise embedded ones are
started, as durable as the product's. Nothing here imports Django: its settings are read from the environment,
which has to be complete first.
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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tokenplan.runtime import environment, folders
from tokenplan.runtime.embedded import Postgres, embedded_servers
from tokenplan.runtime.programs import gateway_api_server, web_server
from tokenplan.runtime.supervisor import Program, Stopped, Supervisor, answers

HOST = "127.0.0.1"
START_SECONDS = 60


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
def scratch(seats: int, *, apart: bool = False) -> Iterator[Scratch]:
    """An installation with `seats` seats, each with a key, that answers on a free port: the console's web
    server, or `apart` the one that answers gateways alone.

    Every process that it starts is gone afterwards, also after Ctrl-C. It sets DATA, DATABASE_URL and
    DJANGO_SETTINGS_MODULE for the programs that it starts.
    """
    port = free_port()
    serve = gateway_api_server if apart else web_server
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        web = serve(host=HOST, port=port, data=data)
        os.environ |= {"DATA": folder, "DJANGO_SETTINGS_MODULE": "tokenplan.settings"}
        servers = embedded_servers(data)
        supervisor = Supervisor(data=data, servers=servers, programs=[web])
        try:
            with _database(data) as dsn, supervisor.started(description="a benchmark"):
                made = json.loads(_run("-m", "benchmarks.furnish", str(seats)))
                _serve(web, port)
                yield Scratch(dsn, port, made["gateway_key"], made["keys"])
        except Stopped:
            sys.exit("Stopped.")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _database(data: Path) -> Iterator[str]:
    """The address of the database, for libpq: the embedded one's, or of a new one on the server given."""
    server = environment.text("DATABASE_URL")
    if not server:
        yield f"host={folders.socket_folder(data)} user=postgres dbname=tokenplan"
        return
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


def _serve(web: Program, port: int) -> None:
    """Starts the web server and waits until it answers. What it has to say, it says to the terminal."""
    web.start()
    deadline = time.monotonic() + START_SECONDS
    while not answers(HOST, port):
        if time.monotonic() > deadline or not web.alive():
            raise RuntimeError(f"The web server did not start on port {port}.")
        time.sleep(0.1)


def _run(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    result = subprocess.run(command, cwd=folders.ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed.\n{result.stdout}{result.stderr}")
    return result.stdout


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
