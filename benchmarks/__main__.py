"""`python -m benchmarks`: measures every target, prints the table, and writes it down."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.capacity import with_capacity
from benchmarks.figures import table, with_table
from benchmarks.machine import describe_database, describe_machine
from benchmarks.report import measured, report
from benchmarks.run import FULL, Sizes, run_of
from benchmarks.targets import TARGETS
from tokenplan.runtime.folders import ROOT

RESULTS = ROOT / "benchmarks" / "results.md"
README = ROOT / "README.md"
SCALING = ROOT / "docs" / "scaling.md"
SIZES = {
    "seconds": "of each measurement",
    "rounds": "in which what is compared takes turns",
    "keys": "of each kind that calls are made with",
    "seats": "that stand beside them",
    "events": "that the loaded installation has",
    "loaded_seats": "that the loaded installation has",
    "members": "of the large Team",
    "calls": "of the test of memory",
    "batch": "rows of a bulk request",
}


def main() -> int:
    """Returns what the process ends with: 0 where everything was measured, whatever the verdicts."""
    options = arguments()
    wanted = [target for target in TARGETS if not options.only or target.name in options.only]
    sizes = sizes_of(options)
    machine = describe_machine()
    with run_of(sizes) as run:
        outcomes = [measured(run, target) for target in wanted]
        machine += describe_database(run.ours) if "ours" in vars(run) else []
        outcomes.sort(key=lambda one: one.number)
        print(f"\n{table(outcomes)}", flush=True)
        file = options.results or (None if options.only else RESULTS)
        if file:
            file.write_text(report(outcomes, machine, sizes))
        if file == RESULTS:
            README.write_text(with_table(README.read_text(), table(outcomes)))
            if not any(one.failure for one in outcomes):
                SCALING.write_text(with_capacity(SCALING.read_text(), RESULTS.read_text()))
    return 1 if any(one.failure for one in outcomes) else 0


def sizes_of(options: argparse.Namespace) -> Sizes:
    """What was asked for, and for the rest the usual sizes, or the full ones."""
    usual = FULL if options.full else Sizes()
    given = {name: getattr(options, name) for name in SIZES if getattr(options, name) is not None}
    return replace(usual, **given)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [target.name for target in TARGETS]
    parser.add_argument(
        "--only", action="append", choices=names, help="this target, or several; then nothing is written"
    )
    parser.add_argument(
        "--full", action="store_true", help="10 million events, 100,000 seats, a million calls"
    )
    parser.add_argument("--results", type=Path, help="the file to write, instead of benchmarks/results.md")
    usual = asdict(Sizes())
    for name, what in SIZES.items():
        kind = type(usual[name])
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=f"{what} ({usual[name]:,})")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
