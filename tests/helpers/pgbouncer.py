"""The real PgBouncer in transaction mode: $PGBOUNCER, one on the path, or one that is installed now."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.helpers.serving import free_port, wait_for
from tokenplan.runtime.embedded import POSTGRES_ACCOUNT

# Of the product's database, fewer connections to PostgreSQL than there are clients: each takes whichever is
# free, at every transaction. Tests of races, in databases of their own, have many transactions open at once.
POOL_SIZE = 6
CONFIGURATION = """
[databases]
tokenplan = host={sockets} port=5432 pool_size={pool_size}
* = host={sockets} port=5432 pool_size=60

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
admin_users = postgres
pool_mode = transaction
max_client_conn = 500
logfile = {log}
"""


class Bouncer:
    """A PgBouncer before one PostgreSQL, as long as the block runs."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def show(self, what: str) -> list[dict[str, Any]]:
        """What PgBouncer says of itself, as in `SHOW POOLS`."""
        return self.say(f"SHOW {what}")

    def say(self, command: str) -> list[dict[str, Any]]:
        """Gives it a command. The rows of its answer."""
        where = f"host=127.0.0.1 port={self.port} user=postgres dbname=pgbouncer"
        with closing(psycopg.connect(where, autocommit=True)) as connection:
            # It knows the simple protocol alone.
            found = psycopg.ClientCursor(connection).execute(command)
            names = [column.name for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found] if names else []


@contextmanager
def bouncing(program: str, *, sockets: Path, folder: Path) -> Iterator[Bouncer]:
    """A PgBouncer in front of the PostgreSQL with these sockets. Its files are in the folder."""
    folder.mkdir()
    bouncer = Bouncer(free_port())
    users, file, log = folder / "users.txt", folder / "pgbouncer.ini", folder / "pgbouncer.log"
    users.write_text('"postgres" ""\n')
    file.write_text(
        CONFIGURATION.format(sockets=sockets, port=bouncer.port, users=users, log=log, pool_size=POOL_SIZE)
    )
    # It refuses to run as root; and where we are, only PostgreSQL's account reaches its sockets.
    account = POSTGRES_ACCOUNT if os.geteuid() == 0 else None
    for path in (folder, *folder.parents) if account else ():
        path.chmod(path.stat().st_mode | 0o011)
    if account:
        for path in (folder, users, file):
            shutil.chown(path, account)
    process = subprocess.Popen(
        [program, str(file)],
        stderr=subprocess.DEVNULL,
        user=account,
        group=account,
        extra_groups=[] if account else None,
    )
    try:
        wait_for(lambda: process.poll() is not None or _answers(bouncer))
        assert process.poll() is None, log.read_text()
        yield bouncer
    finally:
        process.kill()
        process.wait()


def _answers(bouncer: Bouncer) -> bool:
    try:
        return bool(bouncer.show("VERSION"))
    except psycopg.OperationalError:
        return False


def pgbouncer(lock_folder: Path) -> str | None:
    """The program; None where there is none and none could be installed."""
    if given := os.environ.get("PGBOUNCER"):
        return given
    # Of several test processes, one installs and the others wait.
    with (lock_folder / "pgbouncer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _on_path() or _install()


def _on_path() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _install() -> str | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "pgbouncer"]):
        subprocess.run(["apt-get", "-qq", *command], capture_output=True, env=quiet)
    return _on_path()
