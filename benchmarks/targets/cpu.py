"""What a gated call takes of processor time, web server and PostgreSQL, beside a call through LiteLLM."""

from __future__ import annotations

from statistics import median

from benchmarks.beside_litellm import CONNECTIONS, beside_litellm, gated
from benchmarks.calls import leases
from benchmarks.figures import Figure, Goal
from benchmarks.run import Run

GOAL = Goal(most=0.1)


def measure(run: Run) -> list[Figure]:
    """In milliseconds, at each number of connections; and of a lease, at the larger number."""
    figures = []
    for connections in CONNECTIONS:
        ours, theirs = beside_litellm(run, connections)
        beside = "LiteLLM", median(turn.both for turn in theirs)
        whole = median(turn.both for turn in ours)
        figures += [
            Figure(f"a call, {connections} connections", whole, "ms", GOAL, beside),
            Figure("of it the web server", median(turn.web for turn in ours), "ms"),
            Figure("of it PostgreSQL", median(turn.database for turn in ours), "ms"),
        ]
    (turns,) = run.in_turns(lambda: gated(run, CONNECTIONS[-1], leases))
    return [
        *figures,
        Figure("a lease, asked and closed", median(turn.both for turn in turns), "ms"),
        Figure("of it the web server", median(turn.web for turn in turns), "ms"),
        Figure("of it PostgreSQL", median(turn.database for turn in turns), "ms"),
    ]
