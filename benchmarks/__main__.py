"""`python -m benchmarks`: measures every target, prints the table, and writes it down."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.figures import Outcome, table, with_table
from benchmarks.machine import describe_database, describe_machine
from benchmarks.run import FULL, Run, Sizes, run_of
from benchmarks.targets import TARGETS, Target
from tokenplan.runtime.folders import ROOT

RESULTS = ROOT / "benchmarks" / "results.md"
README = ROOT / "README.md"
HEADING = """# Results

Written by `make bench`; [README.md](README.md) says how to read it."""
SIZES = {
    "seconds": "of each measurement",
    "rounds": "in which what is compared takes turns",
    "keys": "of each kind that calls are made with",
    "seats": "that stand beside them",
    "events": "that the loaded installation has",
    "loaded_seats": "that the loaded installation has",
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
    return 1 if any(one.failure for one in outcomes) else 0


def measured(run: Run, target: Target) -> Outcome:
    """What a target yielded. One that fails says why, and the others are measured all the same."""
    run.say(f"{target.number}. {target.title}")
    try:
        found = Outcome(target.number, target.title, target.measure(run))
    except Exception as error:
        traceback.print_exc()
        found = Outcome(target.number, target.title, failure=f"{type(error).__name__}: {error}")
    for row in found.rows():
        run.say(row)
    return found


def report(outcomes: Sequence[Outcome], machine: Sequence[tuple[str, str]], sizes: Sizes) -> str:
    """All of it, as a document."""
    sized = [f"{name.replace('_', ' ')} {value:,}" for name, value in asdict(sizes).items()]
    lines = [f"- {name}: {value}" for name, value in [*machine, ("Sizes", ", ".join(sized))]]
    return "\n".join([HEADING, "", table(outcomes), *lines, ""])


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
