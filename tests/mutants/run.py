"""Runs the near tests once to see which lines each reaches, then for each fault those that reach it.

Everything is imported and collected once. Each fault is planted in a process of its own, forked from there,
which ends at the first test that fails: so a fault costs as much as the quickest test that notices it.
"""

from __future__ import annotations

import gc
import json
import os
import select
import sys
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from pytest_django import DjangoDbBlocker

from tests.mutants.databases import Copies, Copy, FunctionsCalled
from tests.mutants.faults import Fault
from tests.mutants.targets import files_of

# A test that lasts so much longer than without a fault hangs, and that is noticed too.
SLOWER, SECONDS = 8, 15.0
# A test of more seconds waits until all others have let a fault pass, whatever it noticed before.
LONG = 1.0
SURVIVED, NOTICED, NOT_PLANTED, BROKEN = 0, 1, 2, 3


@dataclass
class Reached:
    """What a test reaches without any fault: lines by file, and functions of the database (None: not known);
    and how long it takes, and of that works itself, which does not depend on what else the machine does.
    """

    seconds: float
    working: float
    lines: dict[str, frozenset[int]]
    functions: frozenset[str] | None


@dataclass
class Child:
    """A forked process, and what it has written so far."""

    copy: Copy
    read: int
    job: Any
    lines: list[str] = field(default_factory=list)
    since: float = 0.0
    at: int = -1


class Tests:
    """The collected tests, run in forked processes."""

    def __init__(self, items: Sequence[pytest.Item], blocker: DjangoDbBlocker, at_a_time: int) -> None:
        self.items = items
        # The first test that needs the database sets it up, and it stays.
        first = next(at for at, item in enumerate(items) if needs_database(item))
        if self.fails(first):
            raise RuntimeError(f"{items[first].nodeid} fails without any fault")
        self.copies = Copies(blocker)
        self.free = [self.copies.make(number) for number in range(at_a_time)]
        self.children: dict[int, Child] = {}
        gc.collect()
        gc.freeze()

    def close(self) -> None:
        for copy in self.free:
            self.copies.drop(copy)

    def fails(self, position: int) -> bool:
        """Run one test in this process."""
        item = self.items[position]
        # What belongs to the whole session stays set up, above all the database.
        reports = runtestprotocol(item, nextitem=item.session, log=False)  # type: ignore[arg-type]
        return any(report.failed for report in reports)

    def start(self, job: Any, work: Callable[[Callable[[str], None], Copy], int]) -> None:
        """Fork a process that does the work; it can tell lines, and its answer is its exit status."""
        copy = self.free.pop()
        self.copies.renew(copy)
        self.copies.leave()
        read, write = os.pipe()
        pid = os.fork()
        if pid:
            os.close(write)
            self.children[pid] = Child(copy, read, job)
            return
        os.close(read)
        status = BROKEN
        try:
            self.copies.enter(copy)
            status = work(lambda line: _write(write, line), copy)
        except BaseException:
            _write(write, "broken " + json.dumps(traceback.format_exc()))
        finally:
            os._exit(status)

    def wait(self, limit: Callable[[Child], float]) -> list[tuple[Child, int | None]]:
        """The children that have ended, with their statuses; None: it hung and was killed."""
        select.select([child.read for child in self.children.values()], [], [], 0.5)
        ended = []
        for pid, child in list(self.children.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            _listen(child)
            hangs = not done and child.since and time.monotonic() - child.since > limit(child)
            if hangs:
                os.kill(pid, 9)
                os.waitpid(pid, 0)
            if done or hangs:
                os.close(child.read)
                del self.children[pid]
                self.free.append(child.copy)
                ended.append((child, None if hangs else os.waitstatus_to_exitcode(status)))
        return ended


def _write(write: int, line: str) -> None:
    os.write(write, f"{line}\n".encode())


def _listen(child: Child) -> None:
    """Take what the child has written: each test that it begins, and what it says at the end."""
    while select.select([child.read], [], [], 0)[0]:
        text = os.read(child.read, 65_536).decode()
        if not text:
            return
        for line in text.splitlines():
            if line.isdigit():
                child.at, child.since = int(line), time.monotonic()
            else:
                child.lines.append(line)


def needs_database(item: pytest.Item) -> bool:
    return bool(item.get_closest_marker("django_db")) or "db" in getattr(item, "fixturenames", ())


def commits(item: pytest.Item) -> bool:
    """Whether the test leaves rows, or none where there were some."""
    marker = item.get_closest_marker("django_db")
    names = set(getattr(item, "fixturenames", ()))
    return bool({"live_server", "transactional_db"} & names or (marker and marker.kwargs.get("transaction")))


def is_slow(item: pytest.Item) -> bool:
    """Whether `make test` leaves it out, or the database has to be copied again after it, or it tries many
    examples there.
    """
    tries_examples = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    left_out = bool(item.get_closest_marker("slow"))
    return left_out or commits(item) or (tries_examples and needs_database(item))


def scan(
    tests: Tests, faults: Sequence[Fault], chosen: Sequence[int], path: str
) -> tuple[dict[int, Reached], list[str]]:
    """What each of the chosen tests reaches of the files with faults, and those that fail already."""
    files = files_of(faults)
    near = tuple({path for fault in faults for path in fault.near})
    wanted = [at for at in chosen if near and tests.items[at].nodeid.startswith(near)]
    # Whoever commits leaves tables behind that PostgreSQL takes for empty ones, and searches whole.
    wanted.sort(key=lambda at: commits(tests.items[at]))
    many = len(tests.free)
    for part in range(many):
        mine = wanted[part::many]

        def work(tell: Callable[[str], None], copy: Copy, mine: list[int] = mine, part: int = part) -> int:
            called = FunctionsCalled(tests.copies.blocker)
            tests.items[0].config.pluginmanager.register(called)
            found = {at: _reached(tests, at, files, called) for at in mine}
            with open(f"{path}.{part}", "w") as file:  # noqa: PTH123
                json.dump(found, file)
            return 0

        tests.start(part, work)
    reached: dict[int, Reached] = {}
    failing: list[str] = []
    while tests.children:
        for child, status in tests.wait(lambda child: 600):
            child.copy.fresh = False
            if status:
                raise RuntimeError("\n".join(child.lines))
            with open(f"{path}.{child.job}") as file:  # noqa: PTH123
                for at, (failed, seconds, working, lines, functions) in json.load(file).items():
                    numbers = {name: frozenset(of_file) for name, of_file in lines.items()}
                    names = None if functions is None else frozenset(functions)
                    reached[int(at)] = Reached(seconds, working, numbers, names)
                    if failed:
                        failing.append(tests.items[int(at)].nodeid)
                        del reached[int(at)]
            os.unlink(f"{path}.{child.job}")  # noqa: PTH108
    return reached, failing


def _reached(
    tests: Tests, at: int, files: frozenset[str], called: FunctionsCalled
) -> tuple[bool, float, float, dict[str, list[int]], list[str] | None]:
    """Whether the test fails, its seconds, those in which it worked, and what it reaches."""
    lines: dict[str, set[int]] = defaultdict(set)

    def of_line(frame: FrameType, event: str, _: Any) -> Any:
        lines[frame.f_code.co_filename].add(frame.f_lineno)
        return of_line

    def of_call(frame: FrameType, event: str, _: Any) -> Any:
        return of_line if frame.f_code.co_filename in files else None

    called.begin()
    begun, worked = time.monotonic(), time.process_time()
    threading.settrace(of_call)
    sys.settrace(of_call)
    try:
        failed = tests.fails(at)
    finally:
        sys.settrace(None)
        threading.settrace(None)
    seconds, working = time.monotonic() - begun, time.process_time() - worked
    return failed, seconds, working, {file: sorted(found) for file, found in lines.items()}, called.names


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a fault. `by`: the test that noticed it; empty also where it could not be planted, since
    what is wrong with it is said before anything runs.
    """

    fault: Fault
    survived: bool
    by: str


def judge(
    tests: Tests,
    faults: Sequence[Fault],
    reached: dict[int, Reached],
    say: Callable[[Verdict], None],
    remembered: Mapping[str, int] | None = None,
) -> list[Verdict]:
    """Plant each fault, and run the tests that reach it until one fails; of a fault that is `remembered` by
    its name that one test alone.
    """
    noticed: dict[str, Counter[int]] = defaultdict(Counter)
    verdicts: list[Verdict] = []
    waiting = list(reversed(faults))
    while waiting or tests.children:
        while waiting and tests.free:
            fault = waiting.pop()
            if remembered is None:
                near = _near(tests, fault, reached, (noticed[fault.place], noticed[fault.file]))
            else:
                near = [remembered[fault.name]]
            tests.start((fault, near), _work(tests, fault, near))
        for child, status in tests.wait(lambda child: reached[child.at].seconds * SLOWER + SECONDS):
            fault, near = child.job
            ran = near[: near.index(child.at) + 1] if child.at >= 0 else []
            child.copy.fresh = status is not None and not any(commits(tests.items[at]) for at in ran)
            child.copy.planted = child.copy.planted or bool(fault.sql)
            if status == BROKEN:
                raise RuntimeError(f"{fault.name}\n" + "\n".join(child.lines))
            if status not in (SURVIVED, NOT_PLANTED) and child.at >= 0:
                noticed[fault.place][child.at] += 1
                noticed[fault.file][child.at] += 1
            by = "" if status in (SURVIVED, NOT_PLANTED) else tests.items[child.at].nodeid
            verdicts.append(Verdict(fault, status == SURVIVED, by if status is not None else f"{by} (hangs)"))
            say(verdicts[-1])
    return verdicts


def _near(
    tests: Tests, fault: Fault, reached: dict[int, Reached], noticed: tuple[Counter[int], Counter[int]]
) -> list[int]:
    """The tests that reach the fault, in the order in which they are asked: those of its module before
    others and the long ones last; then those that noticed another fault beside it, then one in the same file,
    then the quickest. `noticed`: which test has noticed how many faults, there and there.
    """
    beside, in_file = noticed

    function = fault.place.rpartition("::")[2]
    # PostgreSQL counts no calls of a function that it writes into the statement.
    seen = {name for of_test in reached.values() for name in of_test.functions or ()}

    def reaches(at: int) -> bool:
        if not tests.items[at].nodeid.startswith(fault.near):
            return False
        functions = reached[at].functions
        if fault.sql and functions is not None and function in seen:
            return function in functions
        lines = reached[at].lines.get(fault.file, frozenset())
        return bool(fault.lines & lines) if fault.lines else True

    def asked_late(at: int) -> tuple[bool, bool, int, int, float]:
        is_of_module = tests.items[at].path.stem.startswith(f"test_{Path(fault.file).stem}")
        working = reached[at].working
        return working > LONG, not is_of_module, -beside[at], -in_file[at], working

    return sorted((at for at in reached if reaches(at)), key=asked_late)


def _work(tests: Tests, fault: Fault, near: list[int]) -> Callable[[Callable[[str], None], Copy], int]:
    def work(tell: Callable[[str], None], copy: Copy) -> int:
        try:
            with tests.copies.blocker.unblock():
                fault.plant()
        except Exception:
            return NOT_PLANTED
        tests.copies.leave()
        for at in near:
            tell(str(at))
            if tests.fails(at):
                return NOTICED
        return SURVIVED

    return work
