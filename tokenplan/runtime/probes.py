"""Asks each process of the web server whether it answers, and ends one that does not.

A process that hangs still takes its share of the connections, and everyone behind it waits for ever. The
program that started it (granian) starts another in its place.
"""

import contextlib
import logging
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from tokenplan.runtime.folders import web_doors

log = logging.getLogger(__name__)

ASK_EVERY_SECONDS = 1.0
ANSWER_SECONDS = 10.0
# All threads at work and none has begun anything for so long: they wait for what will not come.
STUCK_SECONDS = 60.0


@dataclass
class Question:
    """A connection on which a process has not answered yet."""

    connection: socket.socket
    asked_at: float


class WebProbe:
    """Never waits: it asks, and looks for the answer when it is called next."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._asked: dict[int, Question] = {}
        self._not_before = float("-inf")

    def __call__(self, pid: int, now: float) -> None:
        """Probes the processes that the program with this number has started."""
        for process in list(self._asked):
            self._hear(process, pid, now)
        if now < self._not_before:
            return
        self._not_before = now + ASK_EVERY_SECONDS
        for process, path in web_doors(self._data).items():
            if process not in self._asked:
                self._ask(process, path, now)

    def close(self) -> None:
        """Waits for no answer any more."""
        for process in list(self._asked):
            self._forget(process)

    def _ask(self, process: int, path: Path, now: float) -> None:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            # What a process left that was killed.
            if not psutil.pid_exists(process):
                path.unlink(missing_ok=True)
            return
        self._asked[process] = Question(connection, now)

    def _hear(self, process: int, program: int, now: float) -> None:
        question = self._asked[process]
        try:
            answer = question.connection.recv(64)
        except BlockingIOError:
            if now - question.asked_at > ANSWER_SECONDS:
                self._forget(process)
                end(process, program, f"did not answer in {ANSWER_SECONDS:.0f} s")
            return
        except OSError:
            answer = b""
        self._forget(process)
        if answer.strip().isdigit() and int(answer) > STUCK_SECONDS:
            end(process, program, f"has finished no request for {int(answer)} s")

    def _forget(self, process: int) -> None:
        self._asked.pop(process).connection.close()


def end(process: int, program: int, why: str) -> None:
    """Kills the process, if it is one that the program started."""
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        if psutil.Process(process).ppid() == program:
            log.warning("A process of the web server (%d) %s and is replaced", process, why)
            os.kill(process, signal.SIGKILL)
