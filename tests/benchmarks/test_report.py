"""A target that fails says so, and the document has all of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from benchmarks.figures import Figure, Goal, Outcome, table
from benchmarks.report import measured, report
from benchmarks.run import Run, Sizes
from benchmarks.targets import Target

FIGURES = [Figure("a call", 2.0, "ms", Goal(most=1))]


def fails(run: Run) -> Sequence[Figure]:
    raise RuntimeError("It did not start.\nThe port is taken.")


def test_what_a_target_yields_is_printed_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    target = Target(3, "cost", "Cost", lambda run: FIGURES)
    outcome = measured(Run(Sizes(), ExitStack()), target)
    assert outcome == Outcome(3, "Cost", FIGURES)
    assert [line.partition("] ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "3. Cost",
        "| 3. Cost | a call: 2 ms |  |  | ≤ 1 | missed (2 of 1) |",
    ]


def test_a_target_that_fails_is_an_outcome_too(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = measured(Run(Sizes(), ExitStack()), Target(4, "rate", "Rate", fails))
    assert outcome.rows() == ["| 4. Rate | not measured |  |  |  | failed: The port is taken. |"]
    assert 'raise RuntimeError("It did not start.' in capsys.readouterr().err


def test_the_document_has_the_table_the_machine_and_the_sizes() -> None:
    outcomes = [Outcome(1, "Cost", FIGURES)]
    sizes = Sizes(1.5, 2, 3, 4, 5, 6, 7, 8, 9_000)
    assert report(outcomes, [("Processor", "one, 2 cores"), ("Python", "3.11")], sizes) == (
        "# Results\n\nWritten by `make bench`; [README.md](README.md) says how to read it.\n\n"
        f"{table(outcomes)}\n\n"
        "- Processor: one, 2 cores\n- Python: 3.11\n"
        "- Sizes: seconds 1.5, rounds 2, keys 3, seats 4, events 5, loaded seats 6, members 7, calls 8,"
        " batch 9,000\n"
    )
