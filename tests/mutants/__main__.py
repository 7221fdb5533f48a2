"""`make mutants`. Exit status 1: a fault survived that should not, or `equivalents.toml` names one that does
not survive, or is not there.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.mutants.memory import Memory
from tests.mutants.tests_near import TESTS

if TYPE_CHECKING:
    from tests.mutants.faults import Fault
    from tests.mutants.run import Tests, Verdict

EQUIVALENTS = Path(__file__).parent / "equivalents.toml"
VERBOSE = bool(os.environ.get("VERBOSE"))


class Mutants:
    """Takes the place of pytest's own loop over the tests."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen = chosen
        self.succeeded = False
        entries = tomllib.loads(EQUIVALENTS.read_text())["equivalent"]
        self.known = {entry["fault"] for entry in entries if entry["reason"]}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        # It imports the models, so not before Django is set up.
        from tests.mutants.targets import all_faults  # noqa: PLC0415

        self.reporter: Any = session.config.pluginmanager.getplugin("terminalreporter")
        every = all_faults()
        # What is known to be equivalent is noticed by no test, so it costs all of them.
        faults = [
            fault
            for fault in every
            if re.search(self.chosen.only, fault.name)
            and (fault.name in self.known) == self.chosen.equivalents
        ]
        gone = self.known - {fault.name for fault in every}
        self.memory = Memory(fault.name for fault in every)
        if self.chosen.unknown:
            faults = [fault for fault in faults if not self.memory.test_of(fault.name)]
        if self.chosen.list:
            for fault in faults:
                self.say(fault.name)
            self.succeeded = True
        else:
            failing, verdicts = self.judged(session, faults)
            for verdict in verdicts:
                if verdict.survived:
                    self.memory.note(verdict.fault.name, "")
            self.memory.save()
            self.succeeded = self.report(verdicts, gone) and not failing
        return True

    def judged(self, session: pytest.Session, faults: list[Fault]) -> tuple[list[str], list[Verdict]]:
        """The tests that fail without any fault, and what became of each fault. Only what survives the
        quick tests comes to the slow ones.
        """
        from pytest_django.plugin import blocking_manager_key  # noqa: PLC0415

        from tests.mutants.run import Tests, is_slow, judge, scan  # noqa: PLC0415

        failing: list[str] = []
        verdicts: dict[str, Verdict] = {}
        tests = Tests(session.items, session.config.stash[blocking_manager_key], self.chosen.at_a_time)
        try:
            found = self.judged_again(tests, faults)
            verdicts |= {verdict.fault.name: verdict for verdict in found if not verdict.survived}
            faults = [fault for fault in faults if fault.name not in verdicts]
            for slow in (False,) if self.chosen.quick else (False, True):
                chosen = [
                    at
                    for at, item in enumerate(session.items)
                    if is_slow(item) is slow and re.search(self.chosen.tests, item.nodeid)
                ]
                with tempfile.TemporaryDirectory() as folder:
                    reached, fail = scan(tests, faults, chosen, f"{folder}/reached")
                for name in fail:
                    self.say(f"fails without any fault, so it is left out: {name}")
                failing += fail
                self.say(f"{len(faults)} faults, {len(reached)} {'slow' if slow else 'quick'} tests")
                near = {
                    at: of_test for at, of_test in reached.items() if of_test.working <= self.chosen.longest
                }
                found = judge(tests, faults, near, self.say_noticed)
                verdicts |= {verdict.fault.name: verdict for verdict in found}
                faults = [verdict.fault for verdict in found if verdict.survived]
        finally:
            tests.close()
        return failing, list(verdicts.values())

    def judged_again(self, tests: Tests, faults: list[Fault]) -> list[Verdict]:
        """Each fault of which it is remembered, shown to the test that noticed it the last time."""
        from tests.mutants.run import judge, scan  # noqa: PLC0415

        places = {item.nodeid: at for at, item in enumerate(tests.items)}
        tested = {fault.name: places.get(self.memory.test_of(fault.name), -1) for fault in faults}
        again = [fault for fault in faults if tested[fault.name] >= 0]
        asked = sorted({tested[fault.name] for fault in again})
        with tempfile.TemporaryDirectory() as folder:
            reached, _ = scan(tests, again, asked, f"{folder}/reached")
        again = [fault for fault in again if tested[fault.name] in reached]
        self.say(f"{len(again)} faults, each shown to the test that noticed it the last time")
        return judge(tests, again, reached, self.say_noticed, tested)

    def say(self, line: str) -> None:
        self.reporter.write_line(line)

    def say_noticed(self, verdict: Verdict) -> None:
        if verdict.survived:
            return
        self.memory.note(verdict.fault.name, verdict.by.removesuffix(" (hangs)"))
        if VERBOSE:
            what = f"noticed: {verdict.fault.name} by {verdict.by}"
            self.say(what if verdict.by else f"cannot be planted: {verdict.fault.name}")

    def report(self, verdicts: list[Verdict], gone: set[str]) -> bool:
        """Whether all is as it should be."""
        survived = {verdict.fault.name for verdict in verdicts if verdict.survived}
        wrong = [f"{name}: there is no such fault" for name in sorted(gone)]
        wrong += [
            f"{verdict.fault.name}: " + (f"is noticed by {verdict.by}" if verdict.by else "cannot be planted")
            for verdict in verdicts
            if not verdict.survived and verdict.fault.name in self.known
        ]
        for name in sorted(survived - self.known):
            self.say(f"survived: {name}")
        for line in wrong:
            self.say(f"equivalents.toml: {line}")
        planted = [verdict for verdict in verdicts if verdict.survived or verdict.by]
        self.say(
            f"{len(planted)} planted, {len(planted) - len(survived)} noticed, "
            f"{len(survived & self.known)} equivalent, {len(survived - self.known)} survived; "
            f"{len(verdicts) - len(planted)} cannot be planted"
        )
        return not wrong and survived <= self.known


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument(
        "--only", default="", help="only faults in whose name this regular expression is found"
    )
    parser.add_argument("--tests", default="", help="only tests in whose name this is found")
    parser.add_argument("--at-a-time", type=int, default=os.cpu_count() or 2)
    parser.add_argument(
        "--longest", type=float, default=600, help="leave out tests of more seconds, to be quick"
    )
    parser.add_argument(
        "--quick", action="store_true", help="leave out the slow tests: races, and properties of the database"
    )
    parser.add_argument(
        "--equivalents",
        action="store_true",
        help="only what is known to be equivalent: is none noticed?",
    )
    parser.add_argument(
        "--unknown", action="store_true", help="only faults of which no test is remembered that noticed them"
    )
    parser.add_argument("--list", action="store_true", help="name the faults, and plant none")
    mutants = Mutants(parser.parse_args())
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    pytest.main(["-q", "--no-header", "-p", "no:xdist", "-p", "no:cacheprovider", *TESTS], plugins=[mutants])
    return 0 if mutants.succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
