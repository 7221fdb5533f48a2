"""Keeps the embedded servers and the programs of an installation running until it is told to stop.

Each child has a process group of its own. One that dies is started again, later each time it dies young. At
the end every group is gone, also when a child hangs or has left children behind. `run` must be called in the
main thread.
"""

import contextlib
import fcntl
import http.client
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tokenplan import processes
from tokenplan.embedded import Server, ServerFailed, servers_locked
from tokenplan.environment import private_folder

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
STOP_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 30.0
# A child that has lived this long counts as healthy: its next death is a first one.
HEALTHY_SECONDS = 30.0


class Stopped(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal. Not an error, so that no `except Exception` on the way takes it
    for one.
    """


class AlreadyRunning(Exception):
    """Another process looks after this DATA. The message says which."""


@dataclass
class Backoff:
    """When to start something again: at once, then after 1, 2, 4 … up to 30 seconds. Moments are monotonic
    seconds.
    """

    deaths: int = 0
    started: float = float("-inf")
    not_before: float = float("-inf")
    waiting: bool = False

    def died(self, now: float) -> float:
        """Notes a death; returns the seconds to wait."""
        self.waiting = True
        self.deaths = 1 if now - self.started > HEALTHY_SECONDS else self.deaths + 1
        wait = 0.0 if self.deaths == 1 else min(2.0 ** (self.deaths - 2), LONGEST_WAIT_SECONDS)
        self.not_before = now + wait
        return wait

    def start(self, now: float) -> None:
        """Notes a start."""
        self.waiting = False
        self.started = now


@dataclass
class Program:
    """A child of ours: the web server, the worker, the clock."""

    name: str
    command: Sequence[str]
    folder: Path
    backoff: Backoff = field(default_factory=Backoff)
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; on Linux it ends with us even when we are killed."""
        self.child = processes.spawn(self.command, folder=self.folder, dies_with_parent=signal.SIGTERM)

    def alive(self) -> bool:
        """Whether it runs."""
        return self.child is not None and self.child.poll() is None

    def terminate(self) -> None:
        """Asks it to end."""
        if self.child:
            self.child.terminate()

    def bury(self) -> None:
        """Kills what a dead program left of its group: orphans would keep its port."""
        if self.child:
            processes.kill_group(self.child.pid)


class Supervisor:
    """`servers` are started by `started`, `programs` by `run`, which returns only by raising Stopped."""

    def __init__(self, *, data: Path, servers: Sequence[Server], programs: Sequence[Program]) -> None:
        self.data = data
        self.servers = servers
        self.programs = programs
        self._server_backoff = {server.name: Backoff() for server in servers}

    @contextlib.contextmanager
    def started(self, *, description: str) -> Iterator[None]:
        """The servers run inside; afterwards nothing that was started does. Raises AlreadyRunning,
        ServerFailed.

        Signals to stop are raised as Stopped inside, and ignored while stopping.
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
        """Starts the programs and looks after all. Calls `serving` once `/healthz` answers for the first
        time.
        """
        announced = False
        while True:
            self.look()
            if not announced and answers(host, port):
                announced = True
                serving()
            time.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Starts whatever should run, does not, and has waited its time."""
        for server in self.servers:
            self._look_after_server(server)
        for program in self.programs:
            self._look_after_program(program)

    def stop(self) -> None:
        """Ends every program, then every server; kills what has not ended in its time."""
        running = [program for program in self.programs if program.alive()]
        for program in running:
            program.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while any(program.alive() for program in running) and time.monotonic() < deadline:
            time.sleep(0.05)
        for program in self.programs:
            if program.alive():
                log.warning("%s did not stop in %d s and was killed", program.name, STOP_SECONDS)
            program.bury()
        with servers_locked(self.data):
            for server in reversed(self.servers):
                server.stop()

    def _look_after_server(self, server: Server) -> None:
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

    def _look_after_program(self, program: Program) -> None:
        if program.alive():
            return
        now = time.monotonic()
        if program.child and not program.backoff.waiting:
            program.bury()
            wait = program.backoff.died(now)
            code = program.child.returncode
            log.warning("%s has ended with %s and is started again in %.0f s", program.name, code, wait)
        if now >= program.backoff.not_before:
            program.backoff.start(now)
            program.start()

    @contextlib.contextmanager
    def _only_one(self, description: str) -> Iterator[None]:
        # Opened without truncation: until the lock is ours, the content is the other one's.
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


def answers(host: str, port: int) -> bool:
    """Whether the web server answers `/healthz` with 200."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
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
