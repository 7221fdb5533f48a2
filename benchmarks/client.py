"""Talks to an installation over many HTTP connections at once, and notes how long each answer took.

The client shares the machine with what it measures, so it does as little as possible: one process, one
thread, requests that are bytes, and of an answer no more than where it ends. A request takes a fifth of the
processor time that it takes with `http.client`.
"""

from __future__ import annotations

import json
import random
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field

HOST = "127.0.0.1"
# An answer that takes longer fails the run: it is longer than any wait of the product.
PATIENCE_SECONDS = 60.0
NOT_MODIFIED = 304  # such an answer has no body, and need not say so


@dataclass(frozen=True, slots=True)
class Request:
    """The bytes to send; the time until the answer is noted under `kind`."""

    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    head: bytes = field(default=b"", compare=False, repr=False)

    def header(self, name: str) -> str:
        """The value of a header, whose name is lower case; empty where there is none."""
        lines = (line.partition(b":") for line in self.head.split(b"\r\n"))
        return next(
            (value.strip().decode() for found, _, value in lines if found.lower() == name.encode()), ""
        )


# What one connection sends, one request after another: each is answered before the next is asked for.
Talk = Generator[Request, Answer, None]


@dataclass
class Times:
    """How long each answer took, in seconds, by the kind of request; in `seconds` how long all took."""

    seconds: float = 0.0
    of: dict[str, list[float]] = field(default_factory=dict)

    def rate(self, kind: str) -> float:
        """Answers of this kind a second."""
        return len(self.of.get(kind, ())) / self.seconds


def request(kind: str, path: str, *, method: str = "GET", body: object = None, **headers: str) -> Request:
    """A request with these headers (`_` stands for `-`), its body as JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Accept: */*"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return Request(kind, "\r\n".join([*lines, "", ""]).encode() + content)


def expect(answer: Answer, *statuses: int) -> None:
    """Raises RuntimeError unless the answer has one of these statuses."""
    if answer.status not in statuses:
        raise RuntimeError(f"{answer.status} was answered: {answer.body.decode(errors='replace')[:300]}")


def converse(port: int, talks: Iterable[Talk]) -> Times:
    """Holds these talks all at once, each over a connection of its own, until every one has ended."""
    waiting = deque((0.0, talk) for talk in talks)
    return _Client(port, len(waiting)).hold(waiting, paced=False)


def arrive(port: int, talk: Callable[[], Talk], *, rate: float, seconds: float, connections: int) -> Times:
    """Begins so many talks a second, at moments that depend on no answer: as strangers come.

    The time of a talk's first answer counts from the moment at which it was due, also where it had to wait
    for a connection. The moments are random, and the same in each run.
    """
    chance, due, arrivals = random.Random(1), 0.0, deque[tuple[float, Talk]]()
    while (due := due + chance.expovariate(rate)) < seconds:
        arrivals.append((due, talk()))
    return _Client(port, connections).hold(arrivals, paced=True)


class _Connection:
    """One connection, the talk that it is used for, and since when it waits for which kind of answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.talk: Talk | None = None
        self.kind = ""
        self.since = 0.0
        self._received = b""
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection((HOST, self._port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, asked: Request, since: float) -> None:
        self.kind, self.since = asked.kind, since
        self.socket.sendall(asked.content)

    def receive(self) -> Answer | None:
        """What has arrived, once it is whole."""
        part = self.socket.recv(262_144)
        if not part:
            raise RuntimeError(f"The server closed the connection before it had answered {self.kind}.")
        self._received += part
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return None
        fields = head.lower()
        status = int(head[9:12])
        found = b"0" if status == NOT_MODIFIED else fields.partition(b"\r\ncontent-length:")[2]
        if not found:
            raise RuntimeError(f"An answer says no length: {head[:300]!r}")
        if len(rest) < int(found.partition(b"\r\n")[0]):
            return None
        self._received = b""
        if b"\r\nconnection: close" in fields:
            self.socket.close()
            self._connect()
        return Answer(status, rest, head)


class _Client:
    def __init__(self, port: int, connections: int) -> None:
        self._every = [_Connection(port) for _ in range(connections)]
        self._free = deque(self._every)
        self._times = Times()
        self._begun = 0.0

    def hold(self, waiting: deque[tuple[float, Talk]], *, paced: bool) -> Times:
        try:
            with selectors.DefaultSelector() as selector:
                for connection in self._every:
                    selector.register(connection.socket, selectors.EVENT_READ, connection)
                self._begun = time.perf_counter()
                self._run(selector, waiting, paced)
        finally:
            for connection in self._every:
                connection.socket.close()
        self._times.seconds = time.perf_counter() - self._begun
        return self._times

    def _run(self, selector: selectors.BaseSelector, waiting: deque[tuple[float, Talk]], paced: bool) -> None:
        while True:
            pause = self._begin(waiting, paced)
            if not waiting and len(self._free) == len(self._every):
                return
            ready = selector.select(pause)
            if not ready and pause == PATIENCE_SECONDS:
                raise RuntimeError(f"Nothing was answered for {PATIENCE_SECONDS:.0f} s.")
            for key, _events in ready:
                connection, before = key.data, key.fileobj
                self._read(connection)
                if connection.socket is not before:
                    selector.unregister(before)
                    selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _begin(self, waiting: deque[tuple[float, Talk]], paced: bool) -> float:
        """Begins what is due where a connection is free. Returns for how many seconds nothing else is."""
        while waiting and self._free:
            due, now = waiting[0][0] + self._begun, time.perf_counter()
            if due > now:
                return min(due - now, PATIENCE_SECONDS)
            connection = self._free.popleft()
            connection.talk = waiting.popleft()[1]
            self._ask(connection, None, due if paced else now)
        return PATIENCE_SECONDS

    def _ask(self, connection: _Connection, answer: Answer | None, since: float) -> None:
        talk = connection.talk
        if talk is None:
            return
        try:
            asked = next(talk) if answer is None else talk.send(answer)
        except StopIteration:
            connection.talk = None
            self._free.append(connection)
        else:
            connection.send(asked, since)

    def _read(self, connection: _Connection) -> None:
        answer = connection.receive()
        if answer is not None:
            now = time.perf_counter()
            self._times.of.setdefault(connection.kind, []).append(now - connection.since)
            self._ask(connection, answer, now)


def until(seconds: float) -> Iterator[float]:
    """Yields the seconds that have passed since it was first asked, for as long as they are fewer."""
    begun = time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        yield passed
