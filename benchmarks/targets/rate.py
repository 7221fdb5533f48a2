"""Gated calls a second, beside calls through LiteLLM's proxy."""

from __future__ import annotations

from statistics import median

from benchmarks.beside_litellm import CONNECTIONS, beside_litellm
from benchmarks.figures import Figure, Goal
from benchmarks.run import Run

GOALS = dict(zip(CONNECTIONS, (Goal(least=5), Goal(least=8)), strict=True))


def measure(run: Run) -> list[Figure]:
    """At each number of connections."""
    figures = []
    for connections in CONNECTIONS:
        ours, theirs = beside_litellm(run, connections)
        beside = "LiteLLM", median(turn.rate for turn in theirs)
        rate = median(turn.rate for turn in ours)
        figures.append(Figure(f"{connections} connections", rate, "calls/s", GOALS[connections], beside))
    return figures
