"""Keeps the embedded servers and the programs of an installation running until it is told to stop.

Each program has a process group of its own. One that ends is started again; one that ends soon after its
start waits longer each time. At the end every group is gone, also when a program hangs or has left children
behind. Must be used in the main thread, which receives the signals.
"""

import contextlib
import fcntl
import http.client
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from tokenplan.runtime import processes
from tokenplan.runtime.embedded import Server, servers_locked
from tokenplan.runtime.failures import ServerFailed
from tokenplan.runtime.folders import private_folder

log = logging.getLogger(__name__)

CHECK_SECONDS = 0.25
STOP_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 30.0
# A child that has lived this long counts as healthy: its next death is a first one.
HEALTHY_SECONDS = 30.0


class Stopped(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal. Not an Exception, so that no `except Exception` swallows it."""


class AlreadyRunning(Exception):
    """Another process runs this DATA already. The message says which."""


@dataclass
class Backoff:
    """When to start something again: at once, then after 1, 2, 4 … up to 30 seconds.

    Moments are seconds of the monotonic clock.
    """

    deaths: int = 0
    started: float = float("-inf")
    not_before: float = float("-inf")
    waiting: bool = False

    def died(self, now: float) -> float:
        """Notes that it ended; returns how many seconds to wait before the next start."""
        self.waiting = True
        self.deaths = 1 if now - self.started > HEALTHY_SECONDS else self.deaths + 1
        wait = 0.0 if self.deaths == 1 else min(2.0 ** (self.deaths - 2), LONGEST_WAIT_SECONDS)
        self.not_before = now + wait
        return wait

    def start(self, now: float) -> None:
        """Notes that it was started."""
        self.waiting = False
        self.started = now


class Probe(Protocol):
    """Ends those processes of a running program that no longer answer; the program starts them anew."""

    def __call__(self, pid: int, now: float) -> None: ...


@dataclass
class Program:
    """A program to keep running: its command, the folder it runs in, the variables that it has where our
    environment has none of the name, and the process while there is one.
    """

    name: str
    command: Sequence[str]
    folder: Path
    probe: Probe | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    backoff: Backoff = field(default_factory=Backoff)
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; on Linux it ends with us even when we are killed."""
        self.child = processes.spawn(
            self.command, folder=self.folder, variables=self.variables, dies_with_parent=signal.SIGTERM
        )

    def alive(self) -> bool:
        """Whether it runs."""
        return self.child is not None and self.child.poll() is None

    def terminate(self) -> None:
        """Asks it to end."""
        if self.child:
            self.child.terminate()

    def kill_orphans(self) -> None:
        """Kills what a program that ended left of its process group: orphans would keep its port."""
        if self.child:
            processes.kill_group(self.child.pid)


class Supervisor:
    """`started` starts the servers, `run` the programs. `run` ends only by raising Stopped."""

    def __init__(self, *, data: Path, servers: Sequence[Server], programs: Sequence[Program]) -> None:
        self.data = data
        self.servers = servers
        self.programs = programs
        self._server_backoff = {server.name: Backoff() for server in servers}

    @contextlib.contextmanager
    def started(self, *, description: str) -> Iterator[None]:
        """The servers run inside; afterwards nothing runs that was started, program or server.

        Raises AlreadyRunning and ServerFailed. A signal to stop raises Stopped inside; while stopping,
        further signals are ignored. `description` is what AlreadyRunning says to whoever comes second.
        """
        with (
            self._only_one(description),
            (self.data / "servers.used").open("w") as use,
            _stopping_by_signal(),
        ):
            try:
                with servers_locked(self.data):
                    fcntl.flock(use, fcntl.LOCK_SH)
                    for server in self.servers:
                        server.start(dies_with_parent=True)
                yield
            finally:
                _ignore_stop_signals()
                self.stop()

    def run(self, *, host: str, port: int, serving: Callable[[], None]) -> None:
        """Starts the programs and restarts whatever ends. Calls `serving` when `/healthz` first answers."""
        announced = False
        while True:
            self.start_what_is_down()
            if not announced and answers(host, port):
                announced = True
                serving()
            time.sleep(CHECK_SECONDS)

    def start_what_is_down(self) -> None:
        """Starts every server and program that does not run and has waited out its backoff."""
        for server in self.servers:
            self._restart_server(server)
        for program in self.programs:
            self._restart_program(program)

    def stop(self) -> None:
        """Ends every program, then every server; kills programs that take longer than STOP_SECONDS."""
        running = [program for program in self.programs if program.alive()]
        for program in running:
            program.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while any(program.alive() for program in running) and time.monotonic() < deadline:
            time.sleep(0.05)
        for program in self.programs:
            if program.alive():
                log.warning("%s did not stop in %d s and was killed", program.name, STOP_SECONDS)
            program.kill_orphans()
        with servers_locked(self.data):
            for server in reversed(self.servers):
                server.stop()

    def _restart_server(self, server: Server) -> None:
        if server.pid():
            return
        backoff = self._server_backoff[server.name]
        now = time.monotonic()
        if not backoff.waiting:
            log.warning("%s has ended and is started again in %.0f s", server.name, backoff.died(now))
        if now < backoff.not_before:
            return
        backoff.start(now)
        try:
            with servers_locked(self.data):
                server.start(dies_with_parent=True)
        except ServerFailed as error:
            log.warning("%s", error)

    def _restart_program(self, program: Program) -> None:
        now = time.monotonic()
        if program.child and program.alive():
            if program.probe:
                program.probe(program.child.pid, now)
            return
        if program.child and not program.backoff.waiting:
            program.kill_orphans()
            wait = program.backoff.died(now)
            code = program.child.returncode
            log.warning("%s has ended with %s and is started again in %.0f s", program.name, code, wait)
        if now >= program.backoff.not_before:
            program.backoff.start(now)
            program.start()

    @contextlib.contextmanager
    def _only_one(self, description: str) -> Iterator[None]:
        # Not truncated: until the lock is ours, the text in the file is that of the process that holds it.
        with (private_folder(self.data) / "up.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise AlreadyRunning(
                    f"This data is in use by {file.read().strip()}. Stop that one, or name other data: DATA="
                ) from None
            file.truncate(0)
            file.write(f"{description}, process {os.getpid()}\n")
            file.flush()
            yield


def answers(host: str, port: int, path: str = "/healthz", *, seconds: float = 2) -> bool:
    """Whether a web server answers this path with 200 within so many seconds."""
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def _stopping_by_signal() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_stop_signals() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
