"""Which test noticed each fault the last time, so that the next run asks that one first.

`noticed.json` lies in the repository: without it a whole run takes hours, with it most faults cost one test.
What it says decides nothing. A fault whose test lets it pass is shown to all the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

FILE = Path(__file__).parent / "noticed.json"
# A run may be ended at any moment.
SAVED_AFTER = 50


class Memory:
    """By fault, the id of a test. What is kept of faults that are not among these `faults` is forgotten."""

    def __init__(self, faults: Iterable[str], file: Path = FILE) -> None:
        self._file = file
        self._there = {_digest(name) for name in faults}
        self._tests: dict[str, str] = {}
        self._unsaved = 0
        if file.exists():
            kept = json.loads(file.read_text())
            self._tests = {digest: kept["tests"][number] for digest, number in kept["faults"].items()}

    def test_of(self, fault: str) -> str:
        """The test that noticed the fault of this name; "" where nobody knows."""
        return self._tests.get(_digest(fault), "")

    def note(self, fault: str, test: str) -> None:
        """This test noticed it now; "": none did."""
        self._tests.pop(_digest(fault), None)
        if test:
            self._tests[_digest(fault)] = test
        self._unsaved += 1
        if self._unsaved >= SAVED_AFTER:
            self.save()

    def save(self) -> None:
        """Keeps what is known."""
        self._unsaved = 0
        known = {digest: test for digest, test in sorted(self._tests.items()) if digest in self._there}
        tests = sorted(set(known.values()))
        numbers = {test: number for number, test in enumerate(tests)}
        kept = {"tests": tests, "faults": {digest: numbers[test] for digest, test in known.items()}}
        self._file.write_text(json.dumps(kept, indent=0) + "\n")


def _digest(fault: str) -> str:
    return hashlib.sha256(fault.encode()).hexdigest()[:12]
