"""The web server answers whatever its callers, its database or one of its own processes do."""

import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import psutil
import pytest

from tests.helpers.installation import Installation, installed
from tests.helpers.serving import get, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.slow]

HALF_BODIES = 18
STREAMS = 60
# That health checks answer within a second is tested without a clock, in tests/tokenplan/test_health.py and
# web/test_application.py. Here they answer at all, although something hangs; the machine may be busy.
SOON = 2.0
# Of large bodies without an end: for each process more than it has room for.
LARGE, LARGE_BODIES = 2_621_440, 40


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(
        tmp_path_factory.mktemp("web") / "data", DEMO="0", REQUEST_BODY_SECONDS="5"
    ) as installation:
        yield installation


def timed(port: int, path: str) -> tuple[int, float]:
    begun = time.monotonic()
    status, _ = get(port, path)
    return status, time.monotonic() - begun


def part_of_a_body(port: int, *, sent: int = 50, declared: int = 100) -> socket.socket:
    """A connection that has sent the head and a part of the body of a request."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    head = "POST /webhooks/stripe/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {declared}\r\n\r\n".encode())
    with suppress(OSError):  # the server may have hung up
        connection.sendall(b" " * sent)
    return connection


def answer_to(connection: socket.socket) -> bytes:
    """All that is answered before the server hangs up."""
    connection.settimeout(10)
    answer = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(4096):
            answer += chunk
    return answer


def test_connections_with_half_a_body_hold_up_nobody_and_are_ended(served: Installation) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(part_of_a_body(served.port)) for _ in range(HALF_BODIES)]
        time.sleep(0.3)
        for path in ("/healthz", "/readyz", "/"):
            for _ in range(4):
                status, seconds = timed(served.port, path)
                assert status == 200
                assert seconds < SOON
        for connection in connections:
            answer = answer_to(connection)
            assert answer.startswith(b"HTTP/1.1 408 "), answer
            assert b'"code": "body_too_slow"' in answer


def test_large_bodies_without_an_end_leave_room_for_calls(served: Installation) -> None:
    """Nobody has to be known to the console to send them."""
    address = f"http://127.0.0.1:{served.port}/api/v1/gateway/authorize"
    answers = []
    master = psutil.Process(served.pid_of("granian"))
    with ExitStack() as stack:
        connections = []
        for _ in range(LARGE_BODIES * len(master.children())):
            begun = part_of_a_body(served.port, sent=LARGE - 1, declared=LARGE)
            connections.append(stack.enter_context(begun))
            answers.append(httpx.post(address, json={}, headers={"Authorization": "Bearer gw-x"}))
        held_up = max(answer.elapsed.total_seconds() for answer in answers)
        ended = [answer_to(connection) for connection in connections]

    assert {answer.status_code for answer in answers} == {401}
    assert held_up < SOON
    # The room was taken: some bodies had to give way.
    assert b"HTTP/1.1 503" in {answer[:12] for answer in ended}


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def header(name: bytes, value: bytes) -> bytes:
    """One header of HTTP/2, written out: no table, no compression."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def many_streams(port: int) -> socket.socket:
    """One connection of HTTP/2 with many requests, each of which still owes its body."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    head = b"".join(
        header(name, value)
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", b"/webhooks/stripe/"),
            (b":authority", b"127.0.0.1"),
            (b"content-type", b"application/json"),
            (b"content-length", b"100"),
        )
    )
    # A server that does not speak it may hang up at once.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
        for number in range(STREAMS):
            connection.sendall(frame(1, 4, 2 * number + 1, head))
    return connection


def test_http_2_is_not_spoken_and_its_open_streams_hold_up_nobody(served: Installation) -> None:
    with many_streams(served.port) as connection:
        time.sleep(0.3)
        for _ in range(16):
            status, seconds = timed(served.port, "/healthz")
            assert status == 200
            assert seconds < SOON
        # Who speaks HTTP/2 begins with a frame of settings.
        begun = b""
        with suppress(ConnectionResetError):
            begun = connection.recv(9)
        assert begun in (b"", b"HTTP/1.1 ")


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """The processes do nothing, as on a machine that hangs."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGCONT)


def test_health_checks_answer_while_the_database_hangs_and_every_thread_waits_for_it(
    served: Installation,
) -> None:
    postgres = [pid for pid, command in served.processes().items() if "postgres" in command]
    postmaster = psutil.Process(min(postgres, key=lambda pid: psutil.Process(pid).create_time()))
    every = [postmaster.pid, *(child.pid for child in postmaster.children(recursive=True))]
    with ExitStack() as stack:
        stack.enter_context(stopped(every))
        for _ in range(40):
            waiting = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=10))
            waiting.sendall(b"GET /api/v1/plans HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        time.sleep(0.3)
        for _ in range(3):
            status, seconds = timed(served.port, "/healthz")
            assert (status, seconds < SOON) == (200, True)
            status, seconds = timed(served.port, "/readyz")
            assert (status, seconds < SOON) == (503, True)
    wait_for(served.ready)


def test_a_web_process_that_hangs_is_replaced(served: Installation) -> None:
    master = psutil.Process(served.pid_of("granian"))
    before = {child.pid for child in master.children()}
    hung = min(before)
    os.kill(hung, signal.SIGSTOP)
    wait_for(lambda: not psutil.pid_exists(hung) or psutil.Process(hung).status() == psutil.STATUS_ZOMBIE)
    wait_for(lambda: len({child.pid for child in master.children()} - {hung}) == len(before))
    assert {child.pid for child in master.children()} & before == before - {hung}
    wait_for(served.ready)
