"""What is compared takes turns, and what did not start once is not started again."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from benchmarks.run import FULL, Run, Sizes, started


class Counting(Run):
    """Notes in `tries` what is started."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes, ExitStack())
        self.tries: list[str] = []


def start_well(run: Run) -> str:
    assert isinstance(run, Counting)
    run.tries.append("well")
    return "started"


def start_badly(run: Run) -> str:
    assert isinstance(run, Counting)
    run.tries.append("badly")
    raise RuntimeError("It did not start.")


class Programs(Counting):
    well = started(start_well)
    badly = started(start_badly)


def test_what_is_compared_takes_turns() -> None:
    order: list[str] = []

    def measure(name: str, value: int) -> int:
        order.append(name)
        return value + len(order)

    ours, theirs = Counting(Sizes(rounds=3)).in_turns(lambda: measure("a", 10), lambda: measure("b", 20))
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert (ours, theirs) == ([11, 13, 15], [22, 24, 26])


def test_what_was_started_is_kept_and_what_failed_fails_again() -> None:
    run = Programs(Sizes())
    assert run.tries == []
    assert [run.well, run.well] == ["started", "started"]
    for _ in range(2):
        with pytest.raises(RuntimeError, match="It did not start"):
            _ = run.badly
    assert run.tries == ["well", "badly"]


def test_a_run_says_what_it_has_less_of_than_the_targets_ask_for() -> None:
    assert Counting(Sizes()).smaller("events") == "300,000 of 10,000,000 events"
    assert Counting(Sizes(calls=999_999)).smaller("calls") == "999,999 of 1,000,000 calls"
    assert Counting(FULL).smaller("events") == Counting(FULL).smaller("calls") == ""
