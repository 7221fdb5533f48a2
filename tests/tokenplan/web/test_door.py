"""The supervisor's probe of one process: asked at its door, ended when it does not answer or is stuck."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.event_loop import run
from tokenplan.runtime.folders import web_door, web_doors
from tokenplan.runtime.probes import ANSWER_SECONDS, ASK_EVERY_SECONDS, WebProbe
from tokenplan.web.door import door


def test_the_door_says_for_how_long_the_threads_are_stuck_and_is_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "door.sock"

    async def ask() -> bytes:
        async with door(path, lambda: 61.4):
            reader, writer = await asyncio.open_unix_connection(path)
            answer = await reader.read()
            writer.close()
        return answer

    assert run(ask()) == b"61\n"
    assert not path.exists()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[WebProbe]:
    with contextlib.closing(WebProbe(tmp_path)) as probe:
        yield probe


@pytest.fixture
def answering(tmp_path: Path, process: subprocess.Popen[bytes]) -> Iterator[socket.socket]:
    """The socket at the door of a process that another program, this one, has started."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(web_door(tmp_path, process.pid)))
        server.listen()
        yield server


def say(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(answer)


def test_a_process_that_answers_lives(
    probe: WebProbe, process: subprocess.Popen[bytes], answering: socket.socket
) -> None:
    for second in range(0, 30, 2):
        probe(os.getpid(), second)
        say(answering, b"60\n")
    assert process.poll() is None


def test_a_process_that_does_not_answer_is_ended(
    probe: WebProbe, process: subprocess.Popen[bytes], answering: socket.socket
) -> None:
    probe(os.getpid(), 0)
    probe(os.getpid(), ANSWER_SECONDS)
    assert process.poll() is None
    probe(os.getpid(), ANSWER_SECONDS + 0.1)
    assert process.wait(5) == -9


def test_a_process_whose_threads_are_stuck_is_ended(
    probe: WebProbe, process: subprocess.Popen[bytes], answering: socket.socket
) -> None:
    probe(os.getpid(), 0)
    say(answering, b"61\n")
    probe(os.getpid(), 0.1)
    assert process.wait(5) == -9


def test_a_process_of_another_program_is_left_alone(
    probe: WebProbe, process: subprocess.Popen[bytes], answering: socket.socket
) -> None:
    probe(1, 0)
    probe(1, ANSWER_SECONDS + 1)
    assert process.poll() is None


def test_the_door_of_a_process_that_was_killed_is_taken_away(
    tmp_path: Path, probe: WebProbe, process: subprocess.Popen[bytes]
) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(web_door(tmp_path, process.pid)))
    probe(os.getpid(), 0)
    assert list(web_doors(tmp_path)) == [process.pid]
    process.kill()
    process.wait()
    probe(os.getpid(), ASK_EVERY_SECONDS)
    assert web_doors(tmp_path) == {}
