"""The client of the benchmarks, against a server that answers as it is asked to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from benchmarks.client import Answer, Request, Talk, arrive, converse, expect, request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Server:
    """Answers each request with the next of these, in parts; `seen` has what it was sent."""

    def __init__(self, *answers: tuple[bytes, ...]) -> None:
        self.answers = [*answers]
        self.seen: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            while asked := connection.recv(65_536):
                self.seen.append(asked)
                answer = self.answers.pop(0) if self.answers else (OK,)
                for part in answer:
                    connection.sendall(part)
                if not answer or b"connection: close" in answer[0].lower():
                    return


@pytest.fixture
def answers(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(*getattr(request, "param", ()))
    yield server
    server.close()


def asking(number: int, found: list[Answer], kind: str = "read") -> Talk:
    for _ in range(number):
        found.append((yield request(kind, "/")))


def test_a_request_has_its_headers_and_its_body_as_json() -> None:
    asked = request("write", "/path", method="POST", body={"a": 1}, Authorization="Bearer x", X_Name="y")
    assert asked == Request(
        "write",
        b"POST /path HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nAuthorization: Bearer x\r\nX-Name: y\r\n"
        b'Content-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}',
    )
    assert request("read", "/").content == b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n"


def test_each_talk_has_a_connection_and_each_answer_is_timed(answers: Server) -> None:
    found: list[Answer] = []
    times = converse(answers.port, [asking(3, found), asking(2, found, kind="other")])
    assert found == [Answer(200, b"hello")] * 5
    assert {kind: len(seconds) for kind, seconds in times.of.items()} == {"read": 3, "other": 2}
    assert all(0 < seconds <= times.seconds for of_kind in times.of.values() for seconds in of_kind)
    assert answers.connections == 2
    assert times.rate("read") == 3 / times.seconds
    assert times.rate("none") == 0


@pytest.mark.parametrize(
    "answers",
    [[(b"HTTP/1.1 201 Created\r\ncontent-", b"length: 11\r", b"\n\r\nhello", b" world")]],
    indirect=True,
)
def test_an_answer_may_come_in_parts(answers: Server) -> None:
    found: list[Answer] = []
    converse(answers.port, [asking(1, found)])
    assert found == [Answer(201, b"hello world")]


@pytest.mark.parametrize(
    "answers", [[(b'HTTP/1.1 304 Not Modified\r\nX: y\r\nETag: "a:b"\r\n\r\n',)]], indirect=True
)
def test_an_answer_without_a_body_has_its_headers(answers: Server) -> None:
    found: list[Answer] = []
    converse(answers.port, [asking(1, found)])
    assert found == [Answer(304, b"")]
    assert [found[0].header(name) for name in ("etag", "x", "none")] == ['"a:b"', "y", ""]


@pytest.mark.parametrize(
    "answers",
    [[(b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno",)]],
    indirect=True,
)
def test_after_an_answer_that_ends_the_connection_there_is_another(answers: Server) -> None:
    found: list[Answer] = []
    converse(answers.port, [asking(2, found)])
    assert found == [Answer(503, b"no"), Answer(200, b"hello")]
    assert answers.connections == 2


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([()], "closed the connection before it had answered read"),
        ([(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",)], "says no length"),
    ],
    indirect=["answers"],
)
def test_what_cannot_be_read_fails_the_run(answers: Server, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        converse(answers.port, [asking(1, [])])


def test_a_talk_that_is_not_answered_as_expected_fails_the_run(answers: Server) -> None:
    def talk() -> Talk:
        expect((yield request("read", "/")), 201)

    with pytest.raises(RuntimeError, match="200 was answered: hello"):
        converse(answers.port, [talk()])


def test_arrivals_begin_at_the_same_moments_in_each_run_and_share_connections(answers: Server) -> None:
    found: list[Answer] = []

    def count() -> int:
        found.clear()
        times = arrive(answers.port, lambda: asking(1, found), rate=200, seconds=0.2, connections=3)
        assert len(times.of["read"]) == len(found)
        return len(found)

    first = count()
    assert 20 < first < 60
    assert count() == first
    assert answers.connections == 6


def test_what_waits_for_a_connection_counts_from_when_it_was_due() -> None:
    released = threading.Event()

    class Slow(Server):
        def _serve(self, connection: socket.socket) -> None:
            with connection:
                while connection.recv(65_536):
                    released.wait(5)
                    connection.sendall(OK)

    def first() -> Talk:
        if not found:  # the run has begun
            threading.Timer(0.3, released.set).start()
        yield from asking(1, found)

    found: list[Answer] = []
    server = Slow()
    times = arrive(server.port, first, rate=100, seconds=0.1, connections=1)
    server.close()
    # All were due in the first 0.1 s, and none was answered before 0.3 s.
    assert len(times.of["read"]) == len(found) > 3
    assert min(times.of["read"]) >= 0.2
