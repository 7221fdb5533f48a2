"""What becomes of a target that is measured, and the document that says all of them."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.figures import Outcome, missed, table
from benchmarks.limits import LIMITS
from benchmarks.run import Run, Sizes
from benchmarks.targets import Target

HEADING = """# Results

Written by `make bench`; [README.md](README.md) says how to read it."""


def measured(run: Run, target: Target) -> Outcome:
    """What a target yielded. One that fails says why, and the others are measured all the same."""
    run.say(f"{target.number}. {target.title}")
    try:
        found = Outcome(target.number, target.title, target.measure(run), limits=LIMITS.get(target.name, ()))
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
    return "\n".join([HEADING, "", table(outcomes), missed(outcomes), *lines, ""])
