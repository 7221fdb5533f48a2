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
from typing import Any

import pytest

EQUIVALENTS = Path(__file__).parent / "equivalents.toml"


class Mutants:
    """Takes the place of pytest's own loop over the tests."""

    def __init__(self, only: str, at_a_time: int, longest: float, show: bool) -> None:
        self.only, self.at_a_time, self.longest, self.show = only, at_a_time, longest, show
        self.failed = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        # They import the models, so not before Django is set up.
        from pytest_django.plugin import blocking_manager_key  # noqa: PLC0415

        from tests.mutants import run, targets  # noqa: PLC0415

        reporter: Any = session.config.pluginmanager.getplugin("terminalreporter")
        every = targets.all_faults()
        faults = [fault for fault in every if re.search(self.only, fault.name)]
        known = {
            entry["fault"]: entry["reason"] for entry in tomllib.loads(EQUIVALENTS.read_text())["equivalent"]
        }
        if self.show:
            for fault in faults:
                reporter.write_line(fault.name)
            self.failed = False
            return True
        tests = run.Tests(session.items, session.config.stash[blocking_manager_key], self.at_a_time)
        # Sets up the database, which stays.
        first = next(at for at, item in enumerate(session.items) if "db" in getattr(item, "fixturenames", ()))
        assert not tests.fails(first)
        tests.copies.original = str(run.Copies(tests.copies.blocker).original)
        tests.free = [tests.copies.make(number) for number in range(self.at_a_time)]
        try:
            with tempfile.TemporaryDirectory() as folder:
                reached, failing = run.scan(tests, faults, f"{folder}/reached")
            for name in failing:
                reporter.write_line(f"fails without any fault, so it is left out: {name}")
            reporter.write_line(f"{len(faults)} faults, {len(session.items)} tests")

            def say(verdict: run.Verdict) -> None:
                if verdict.survived and verdict.fault.name not in known:
                    reporter.write_line(f"survived: {verdict.fault.name}")
                elif os.environ.get("VERBOSE"):
                    reporter.write_line(f"noticed: {verdict.fault.name} by {verdict.by}")

            reached = {at: of_test for at, of_test in reached.items() if of_test.seconds <= self.longest}
            verdicts = run.judge(tests, faults, reached, say)
        finally:
            tests.close()
        survived = {verdict.fault.name for verdict in verdicts if verdict.survived}
        noticed = {verdict.fault.name: verdict.by for verdict in verdicts if not verdict.survived}
        wrong = [f"{name}: is noticed by {noticed[name]}" for name in known if name in noticed]
        names = {fault.name for fault in every}
        wrong += [f"{name}: there is no such fault" for name in known if name not in names]
        for line in wrong:
            reporter.write_line(f"equivalents.toml: {line}")
        fresh = survived - set(known)
        reporter.write_line(
            f"{len(verdicts)} planted, {len(noticed)} noticed, {len(survived & set(known))} equivalent, "
            f"{len(fresh)} survived"
        )
        self.failed = bool(fresh or wrong or failing)
        return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument(
        "--only", default="", help="only faults in whose name this regular expression is found"
    )
    parser.add_argument("--at-a-time", type=int, default=os.cpu_count() or 2)
    parser.add_argument(
        "--longest", type=float, default=600, help="leave out tests of more seconds, for a quick look"
    )
    parser.add_argument("--list", action="store_true", help="name the faults, and plant none")
    chosen = parser.parse_args()
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    mutants = Mutants(chosen.only, chosen.at_a_time, chosen.longest, chosen.list)
    from tests.mutants.tests_near import TESTS  # noqa: PLC0415

    options = ["-q", "--no-header", "-p", "no:xdist", "-p", "no:cacheprovider", "-p", "no:randomly"]
    status = pytest.main([*options, *TESTS], plugins=[mutants])
    return 1 if mutants.failed else int(status) if status != pytest.ExitCode.NO_TESTS_COLLECTED else 0


if __name__ == "__main__":
    sys.exit(main())
