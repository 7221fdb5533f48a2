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
    "invitations": "invitations/",
    "requests": "requests/",
    "API keys": "api-keys/",
    "billing": "billing/",
    "purchases of Credits": "credits/purchases/",
    "payments to the API balance": "balance/purchases/",
}
# Of the Owner's own calls in the Team.
OWN_PAGES: Mapping[str, str] = {"my usage": "usage", "my refused calls": "refused"}


def measure(run: Run) -> list[Figure]:
    """The whole answer, compressed as a browser gets it, in milliseconds, from all rounds together."""
    target, seconds = run.crowded, run.sizes.seconds / 2
    run.say(f"Pages of a Team with {run.sizes.members:,} members")
    headers = {"Cookie": target.owner.cookie, "Accept_Encoding": "gzip"}

    slug = target.owner.slug
    paths = {name: f"/teams/{slug}/{page}" for name, page in PAGES.items()}
    paths |= {name: f"/account/{page}/{slug}/" for name, page in OWN_PAGES.items()}

    def read(path: str) -> list[float]:
        return converse(target.port, [reads(path, seconds, **headers)]).of[READ]

    rounds = run.in_turns(*[lambda path=path: read(path) for path in paths.values()])
    times = {name: [one for part in parts for one in part] for name, parts in zip(paths, rounds, strict=True)}
    return [Figure(f"{name}, p50", percentile(of, 50) * 1000, "ms", GOAL) for name, of in times.items()]
