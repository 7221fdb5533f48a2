"""The file of what is not yet recorded, and who looks after whose rows."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tokenplan_litellm.command import main
from tokenplan_litellm.outbox import Outbox, Row
from tokenplan_litellm.workers import Worker


def charge(id: str, state: str = "due", **usage: int) -> Row:
    return Row(id, id.partition("/")[0], "charge", state, {"reservation": id, "usage": usage})


def release(id: str) -> Row:
    return Row(id, id, "release", "due", {})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "outbox.sqlite3"


def test_rows_outlive_the_connection_and_keep_their_order(path: Path) -> None:
    first = Outbox(path, "w1")
    rows = [charge("b", tokens=1), charge("a", tokens=2)]
    first.write(rows)
    first.close()
    assert Outbox(path, "w1").due("charge", 1000) == rows
    assert Outbox(path, "w1").due("charge", 1) == rows[:1]


def test_the_file_waits_for_the_disk(path: Path) -> None:
    outbox = Outbox(path, "w1")
    assert outbox._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert outbox._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_progress_grows_until_the_call_ends_and_never_after(path: Path) -> None:
    outbox = Outbox(path, "w1")
    outbox.write([charge("a", "open", tokens=1)])
    outbox.write([charge("a", "open", tokens=2)])
    assert outbox.due("charge", 10) == []
    outbox.write([charge("a", tokens=5)])
    outbox.write([charge("a", "open", tokens=3)])
    outbox.write([charge("a", tokens=4)])
    assert outbox.due("charge", 10) == [charge("a", tokens=5)]


def test_a_call_that_was_charged_is_not_released(path: Path) -> None:
    outbox = Outbox(path, "w1")
    outbox.write([charge("a", tokens=5), release("a")])
    assert outbox.due("release", 10) == []


def test_all_of_the_rows_or_none(path: Path) -> None:
    outbox = Outbox(path, "w1")
    with pytest.raises(sqlite3.IntegrityError):
        outbox.write([charge("a", tokens=1), charge("b", "unheard of")])
    assert outbox.counts() == {}


def test_a_lease_is_let_go_of_after_its_draws(path: Path) -> None:
    outbox = Outbox(path, "w1")
    draw = Row("c1", "lease", "charge", "open", {})
    outbox.write([draw, release("lease")])
    assert outbox.due("release", 10) == []
    outbox.write([Row("c1", "lease", "charge", "due", {})])
    assert outbox.due("release", 10) == []
    outbox.done(["c1"])
    assert outbox.due("release", 10) == [release("lease")]


def test_each_worker_sends_its_own_rows(path: Path) -> None:
    one, two = Outbox(path, "w1"), Outbox(path, "w2")
    one.write([charge("a")])
    two.write([charge("b")])
    assert [row.id for row in one.due("charge", 10)] == ["a"]
    assert [row.id for row in two.due("charge", 10)] == ["b"]
    assert one.workers() == {"w1", "w2"}


def test_rows_of_a_worker_that_is_no_more_are_adopted_with_what_was_seen(path: Path) -> None:
    dead, heir = Outbox(path, "w1"), Outbox(path, "w2")
    dead.write([charge("a", "open", tokens=1), charge("b", tokens=2), charge("c", tokens=3)])
    dead.refuse("c", "invalid")
    assert heir.adopt("w1") == 3
    assert heir.due("charge", 10) == [charge("a", tokens=1), charge("b", tokens=2)]
    assert heir.counts() == {"due": 2, "refused": 1}
    assert heir.workers() == {"w2"}


def test_several_workers_write_at_once(path: Path) -> None:
    def work(number: int) -> int:
        outbox = Outbox(path, f"w{number}")
        for row in range(25):
            outbox.write([charge(f"{number}-{row}")])
        found = len(outbox.due("charge", 100))
        outbox.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [25] * 4
    assert Outbox(path, "any").counts() == {"due": 100}


def test_refused_rows_are_kept_shown_and_sent_again(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outbox = Outbox(path, "w1")
    outbox.write([charge("a", tokens=1), charge("b", tokens=2)])
    outbox.refuse("a", "reservation_unknown")
    assert main(["outbox", "--file", str(path)]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[:3] == ["open\t0", "due\t1", "refused\t1"]
    assert '"code": "reservation_unknown"' in shown[3]
    assert main(["outbox", "--file", str(path), "--retry"]) == 0
    assert [row.id for row in outbox.due("charge", 10)] == ["a", "b"]
    assert main(["outbox", "--file", str(path.with_name("none"))]) == 1


def test_a_worker_is_gone_when_its_process_is(path: Path) -> None:
    path.parent.mkdir()
    program = f"""
        import sys, time
        from pathlib import Path
        from tokenplan_litellm.workers import Worker
        print(Worker(Path({str(path)!r})).name, flush=True)
        time.sleep(60)
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert other.stdout
    name = other.stdout.readline().strip()
    worker = Worker(path)
    assert not worker.gone(name)
    assert not worker.gone(worker.name)
    worker.sweep()
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    other.stdout.close()
    assert worker.gone(name)
    assert worker.gone("never heard of")
    worker.sweep()
    assert [file.name for file in path.with_name(path.name + ".workers").iterdir()] == [worker.name]
    worker.close()
    assert not list(path.with_name(path.name + ".workers").iterdir())


def test_workers_that_open_a_new_file_at_once_all_can(tmp_path: Path) -> None:
    def opened(number: int, turn: int) -> list[str]:
        outbox = Outbox(tmp_path / f"{turn}.sqlite3", f"worker {number}")
        outbox.write([Row(f"{number}", "r", "charge", "due", {})])
        ids = [row.id for row in outbox.due("charge", 9)]
        outbox.close()
        return ids

    with ThreadPoolExecutor(8) as pool:
        for turn in range(20):
            assert list(pool.map(opened, range(8), [turn] * 8)) == [[str(number)] for number in range(8)]
