"""How often a second what is polled can be read, beside the bare view: the bar by a key, what trackers read,
and the fragment of the console's pages, as it was and anew.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from benchmarks.calls import READ, polls, reads
from benchmarks.client import Talk, converse
from benchmarks.figures import Figure, Goal
from benchmarks.run import Run

GOAL = Goal(least=0.5)
CONNECTIONS = 16
BY_KEY = (
    "/api/v1/usage",
    "/v1/token_plan/remains",
    "/v1/api/openplatform/coding_plan/remains",
)


def measure(run: Run) -> list[Figure]:
    """Each address and the bare view in turns, in answers a second."""
    target, seconds, bare_port = run.ours, run.sizes.seconds, run.bare_port
    run.say("Reads and the bare view in turns")
    keys = target.keys[:CONNECTIONS]

    def by_key(path: str) -> float:
        talks = [reads(path, seconds, Authorization=f"Bearer {key}") for key in keys]
        return converse(target.port, talks).rate(READ)

    def fragment(ask: Callable[..., Talk]) -> float:
        path = f"/account/bars/?of=bar-{target.owner.membership}"
        talks = [ask(path, seconds, Cookie=target.owner.cookie) for _ in range(CONNECTIONS)]
        return converse(target.port, talks).rate(READ)

    def bare() -> float:
        return converse(bare_port, [reads("/", seconds) for _ in range(CONNECTIONS)]).rate(READ)

    *ours, of_bare = run.in_turns(
        *[lambda path=path: by_key(path) for path in BY_KEY],
        lambda: fragment(polls),
        lambda: fragment(reads),
        bare,
    )
    beside = "bare view", median(of_bare)
    names = (*[f"GET {path}" for path in BY_KEY], "the bar's fragment, as it was", "the bar's fragment, anew")
    return [
        Figure(name, median(rates), "a second", GOAL, beside) for name, rates in zip(names, ours, strict=True)
    ]
