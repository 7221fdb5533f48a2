"""Whether authorize takes longer the more has been recorded, beside an empty installation."""

from __future__ import annotations

from benchmarks.calls import AUTHORIZE, gated_calls
from benchmarks.client import Times, converse
from benchmarks.figures import Figure, Goal, percentile
from benchmarks.run import Run
from benchmarks.scratch import Scratch

GOAL = Goal(most=1.2)


def measure(run: Run) -> list[Figure]:
    """In milliseconds, over one connection, so that nothing but the work itself takes time."""
    loaded, empty = run.loaded, run.empty
    run.say("Authorize beside an empty installation")

    def times(target: Scratch, keys: list[str]) -> Times:
        return converse(target.port, [gated_calls(target.gateway_key, keys, run.sizes.seconds)])

    busy, any_seat, of_empty = run.in_turns(
        lambda: times(loaded, loaded.keys[:1]),
        lambda: times(loaded, loaded.keys),
        lambda: times(empty, empty.keys),
    )
    beside = "empty", _p50(of_empty)
    smaller = run.smaller("events")
    events, on_seat = run.sizes.events, run.sizes.events * 9 // 10
    return [
        Figure(f"authorize, {events:,} events, p50", _p50(any_seat), "ms", GOAL, beside, smaller),
        Figure(f"authorize, {on_seat:,} on the seat, p50", _p50(busy), "ms", GOAL, beside, smaller),
    ]


def _p50(rounds: list[Times]) -> float:
    return 1000 * percentile([seconds for times in rounds for seconds in times.of[AUTHORIZE]], 50)
