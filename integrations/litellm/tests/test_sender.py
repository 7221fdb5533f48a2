"""What is due is sent until the console has it. The console here answers by script, and may be wrong."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from programs import wait_for
from tokenplan_litellm.calls import Call, Calls
from tokenplan_litellm.console import Reporting
from tokenplan_litellm.outbox import Outbox, Row
from tokenplan_litellm.sender import Sender
from tokenplan_litellm.workers import Worker
from tokenplan_litellm.writer import Writer

CARD = {"models": [{"model": "m", "aliases": ["a"], "prices": [], "default_hold_nanousd": 7}]}


class Script:
    """A console's answers. `rejects` maps what is found in a row to the code it is rejected with."""

    def __init__(self) -> None:
        self.status = 200
        self.rejects: dict[str, str] = {}
        self.release: tuple[int, dict[str, Any]] = (200, {})
        self.asked: list[tuple[str, Any]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, CARD)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                script.asked.append((self.path, body))
                if self.path.endswith(("/release", "/extend")):
                    self._answer(*script.release)
                elif script.status != 200:
                    self._answer(script.status, {"code": "whatever"})
                else:
                    self._answer(200, {"rejected": script.rejected(body["settlements"])})

            def _answer(self, status: int, body: Any) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rejected(self, rows: list[Any]) -> list[dict[str, Any]]:
        return [
            {"index": index, "id": None, "code": code, "detail": ""}
            for index, row in enumerate(rows)
            for sign, code in self.rejects.items()
            if sign in json.dumps(row)
        ]

    def settled(self) -> list[Any]:
        return [row for path, body in self.asked if "settlements" in path for row in body["settlements"]]


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    yield script
    script.server.shutdown()
    script.server.server_close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


@pytest.fixture
def worker(path: Path) -> Iterator[Worker]:
    worker = Worker(path)
    yield worker
    worker.close()


def make_sender(path: Path, worker: Worker, script: Script, calls: Calls | None = None) -> Sender:
    console = Reporting(script.url, "gw-1")
    return Sender(path, worker, console, calls=calls or Calls(), keep_seconds=900)


@pytest.fixture
def sender(path: Path, worker: Worker, script: Script) -> Iterator[Sender]:
    sender = make_sender(path, worker, script)
    yield sender
    sender.close()


def charge(id: str, **more: Any) -> Row:
    return Row(id, id, "charge", "due", {"reservation": id, "usage": {"images": 1}, **more})


def counts(path: Path) -> dict[str, int]:
    outbox = Outbox(path, "looks")
    try:
        return outbox.counts()
    finally:
        outbox.close()


def put(path: Path, worker: Worker, sender: Sender, *rows: Row) -> None:
    outbox = Outbox(path, worker.name)
    outbox.write(rows)
    outbox.close()
    sender.wake()


def test_rows_are_sent_together_and_go_when_the_console_has_them(
    path: Path, worker: Worker, sender: Sender, script: Script
) -> None:
    rows = [charge(str(number)) for number in range(3)]
    put(path, worker, sender, *rows, Row("r", "r", "release", "due", {}))
    wait_for(lambda: counts(path) == {}, 10)
    assert script.settled() == [row.body for row in rows]
    assert script.asked[-1] == ("/api/v1/gateway/reservations/r/release", {})


def test_the_rate_card_is_known(sender: Sender) -> None:
    card = wait_for(lambda: sender.card, 10)
    assert card.model("a").default_hold == 7


@pytest.mark.parametrize("status", [500, 503, 401, 404, 429])
def test_a_console_that_does_not_take_them_gets_them_again(
    path: Path, worker: Worker, sender: Sender, script: Script, status: int
) -> None:
    script.status = status
    put(path, worker, sender, charge("a"))
    wait_for(lambda: len(script.settled()) >= 2, 10)
    assert counts(path) == {"due": 1}
    script.status = 200
    wait_for(lambda: counts(path) == {}, 20)


def test_a_rejected_row_is_kept_and_the_others_go(
    path: Path, worker: Worker, sender: Sender, script: Script
) -> None:
    script.rejects = {'"bad"': "reservation_unknown"}
    put(path, worker, sender, charge("a"), charge("bad"), charge("b"))
    wait_for(lambda: counts(path) == {"refused": 1}, 10)
    assert [row["reservation"] for row in script.settled()] == ["a", "bad", "b"]
    outbox = Outbox(path, "looks")
    assert outbox.refused()[0][1] == "reservation_unknown"
    outbox.close()


def test_a_fallback_that_the_rate_card_does_not_know_is_charged_as_the_authorized_model(
    path: Path, worker: Worker, sender: Sender, script: Script
) -> None:
    script.rejects = {'"unpriced"': "model_unknown"}
    put(path, worker, sender, charge("a", model="unpriced"))
    wait_for(lambda: counts(path) == {}, 10)
    assert script.settled() == [charge("a", model="unpriced").body, charge("a").body]


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ((409, {"code": "reservation_settled"}), {}),
        ((404, {"code": "reservation_unknown"}), {"refused": 1}),
    ],
)
def test_a_hold_that_has_ended_need_not_be_released(
    path: Path, worker: Worker, sender: Sender, script: Script, answer: Any, left: dict[str, int]
) -> None:
    script.release = answer
    put(path, worker, sender, Row("r", "r", "release", "due", {}))
    wait_for(lambda: script.asked and counts(path) == left, 10)


def test_rows_of_a_dead_worker_are_sent(path: Path, worker: Worker, script: Script) -> None:
    dead = Outbox(path, "dead")
    dead.write([charge("a"), Row("b", "b", "charge", "open", {"reservation": "b", "usage": {"images": 2}})])
    dead.close()
    sender = make_sender(path, worker, script)
    wait_for(lambda: counts(path) == {}, 10)
    sender.close()
    assert [row["usage"]["images"] for row in script.settled()] == [1, 2]


def test_a_call_that_runs_long_keeps_what_it_holds(path: Path, worker: Worker, script: Script) -> None:
    now = time.monotonic()
    calls = Calls()
    for name, seconds in (("young", 290), ("old", 310), ("left", 310), ("ended", 310)):
        calls.add(Call(name, name, "acompletion", "m", now - seconds))
    calls._calls["left"].left = True
    calls._calls["ended"].ended = now
    script.release = (422, {"code": "invalid"})
    sender = make_sender(path, worker, script, calls)
    try:
        wait_for(lambda: sender.card, 10)
        assert script.asked == [("/api/v1/gateway/reservations/old/extend", {"lifetime_seconds": 900})]
        assert [call.id for call in calls.to_keep(now + 15, 300)] == ["young"]
    finally:
        sender.close()


def test_what_is_due_when_it_ends_is_sent_then(
    path: Path, worker: Worker, sender: Sender, script: Script
) -> None:
    wait_for(lambda: sender.card, 10)
    outbox = Outbox(path, worker.name)
    outbox.write([charge("a")])
    outbox.close()
    sender.close()
    assert counts(path) == {}
    assert len(script.settled()) == 1


def test_a_row_is_on_the_disk_when_its_future_is_done(path: Path) -> None:
    woken = threading.Event()
    writer = Writer(path, "w1", progress=list, written=woken.set)
    writer.put(charge("a")).result(10)
    assert counts(path) == {"due": 1}
    assert woken.wait(10)
    writer.close()


def test_the_progress_of_streams_is_written_by_itself(path: Path) -> None:
    rows = [Row("a", "a", "charge", "open", {"usage": {"images": number}}) for number in range(3)]
    writer = Writer(path, "w1", progress=lambda: [rows.pop(0)] if rows else [], written=lambda: None)
    wait_for(lambda: not rows, 10)
    wait_for(lambda: counts(path) == {"open": 1}, 10)
    writer.close()


def test_what_cannot_be_written_is_said_kept_and_tried_again(path: Path) -> None:
    writer = Writer(path, "w1", progress=list, written=lambda: None)
    writer.put(charge("a")).result(10)
    with sqlite3.connect(path) as outbox:
        outbox.execute("ALTER TABLE rows RENAME TO elsewhere")
    with pytest.raises(sqlite3.OperationalError):
        writer.put(charge("b")).result(10)
    assert not writer.healthy
    with sqlite3.connect(path) as outbox:
        outbox.execute("ALTER TABLE elsewhere RENAME TO rows")
    outbox.close()
    wait_for(lambda: writer.healthy, 10)
    assert counts(path) == {"due": 2}
    writer.close()
