"""Whether a process of the web server grows with the calls that it has answered."""

from __future__ import annotations

from benchmarks.calls import so_many_calls
from benchmarks.figures import Figure, Goal
from benchmarks.processor_time import megabytes_of
from benchmarks.run import Run

CONNECTIONS = 64
# A process makes its threads, and fills its pool, in its first calls.
FIRST = 0.1


def measure(run: Run) -> list[Figure]:
    """Resident memory of the largest process, in 10^6 bytes."""
    calls, target = run.sizes.calls, run.ours
    run.say(f"Memory over {calls:,} gated calls")
    _call(run, round(calls * FIRST))
    before = megabytes_of(target.web_pid)[0]
    _call(run, calls)
    after = megabytes_of(target.web_pid)[0]
    smaller = run.smaller("calls")
    return [
        Figure("after all calls", after, "MB", Goal(most=150), None, smaller),
        Figure("after all calls", after, "MB", Goal(most=1.05), ("before", before), smaller),
    ]


def _call(run: Run, calls: int) -> None:
    target = run.ours
    so_many_calls(target.port, target.gateway_key, target.keys, calls, connections=CONNECTIONS)
