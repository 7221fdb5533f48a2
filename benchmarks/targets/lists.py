"""How long the pages of a Team with thousands of members take, as its Owner reads them one after another."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.calls import READ, reads
from benchmarks.client import converse
from benchmarks.figures import Figure, Goal, percentile
from benchmarks.run import Run

GOAL = Goal(most=300)
PAGES: Mapping[str, str] = {
    "overview": "",
    "members": "members/",
    "members near a limit": "members/?show=near",
    "one member found": "members/?q=crowd-1234",
    "seats": "seats/",
    "usage": "usage/",
    "charges": "charges/",
    "Credits": "credits/",
    "audit": "audit/",
}


def measure(run: Run) -> list[Figure]:
    """The whole answer, compressed as a browser gets it, in milliseconds, from all rounds together."""
    target, seconds = run.crowded, run.sizes.seconds / 2
    run.say(f"Pages of a Team with {run.sizes.members:,} members")
    headers = {"Cookie": target.owner.cookie, "Accept_Encoding": "gzip"}

    def read(page: str) -> list[float]:
        path = f"/teams/{target.owner.slug}/{page}"
        return converse(target.port, [reads(path, seconds, **headers)]).of[READ]

    rounds = run.in_turns(*[lambda page=page: read(page) for page in PAGES.values()])
    times = {name: [one for part in parts for one in part] for name, parts in zip(PAGES, rounds, strict=True)}
    return [Figure(f"{name}, p50", percentile(of, 50) * 1000, "ms", GOAL) for name, of in times.items()]
