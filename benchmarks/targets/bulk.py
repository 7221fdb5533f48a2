"""Rows a second in bulk: settlements, events, and draws of a lease, beside transactions of `pgbench -N`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from statistics import median

from benchmarks.calls import BULK, MODEL, USAGE, bulk, lease, reservation_of, unique
from benchmarks.client import Talk, converse, expect
from benchmarks.copies import open_holds
from benchmarks.figures import Figure, Goal
from benchmarks.run import Run

GOAL = Goal(least=2)
CONNECTIONS = 4
# A turn ends when its time is over, or when each connection has sent so many requests.
REQUESTS = 8
LEASE_NANOUSD = 1_000_000_000_000
PGBENCH_CLIENTS = 16

Rows = Iterator[dict[str, object]]


def measure(run: Run) -> list[Figure]:
    """Each kind and pgbench in turns."""
    run.say("Bulk and pgbench -N in turns")
    seconds = max(1, round(run.sizes.seconds))
    *kinds, tps = run.in_turns(
        lambda: _settlements(run),
        lambda: _events(run),
        lambda: _draws(run),
        lambda: run.pgbench.transactions_per_second(seconds=seconds, clients=PGBENCH_CLIENTS, threads=2),
    )
    beside = "pgbench -N", median(tps)
    names = ("settlements", "events", "draws of a lease")
    return [
        Figure(name, median(rates), "rows/s", GOAL, beside) for name, rates in zip(names, kinds, strict=True)
    ]


def _settlements(run: Run) -> float:
    """Each closes a hold of its own. The holds are of all seats in turn: so those that are left over are few
    on each, and no later call takes longer for them.
    """
    size, target = run.sizes.batch, run.ours
    place = f"n %% {len(target.keys) + run.sizes.seats}"
    holds = iter(open_holds(target, CONNECTIONS * REQUESTS * size, since=datetime.now(UTC), place=place))

    def batches() -> Rows:
        while some := [{"reservation": hold, "usage": USAGE} for hold in islice(holds, size)]:
            yield {"settlements": some}

    return _rate(run, lambda: _send(run, "settlements", batches()))


def _events(run: Run) -> float:
    """Calls that nobody had asked for, with all keys in turn."""
    keys, moment = cycle(run.ours.keys), datetime.now(UTC).isoformat()

    def event() -> dict[str, object]:
        named = {"id": unique("event"), "key": next(keys), "model": MODEL}
        return {**named, "usage": USAGE, "occurred_at": moment}

    def batches() -> Rows:
        for _ in range(REQUESTS):
            yield {"events": [event() for _ in range(run.sizes.batch)]}

    return _rate(run, lambda: _send(run, "events", batches()))


def _draws(run: Run) -> float:
    """From one lease a connection, each of a key of its own."""
    target, keys = run.ours, cycle(run.ours.keys)

    def draw(held: str) -> dict[str, object]:
        named = {"reservation": held, "id": unique("draw"), "model": MODEL}
        return {**named, "usage": USAGE, "final": False}

    def talk() -> Talk:
        answer = yield lease(target.gateway_key, next(keys), LEASE_NANOUSD)
        expect(answer, 201)
        held = reservation_of(answer)
        rows = ([draw(held) for _ in range(run.sizes.batch)] for _ in range(REQUESTS))
        yield from _send(run, "settlements", ({"settlements": some} for some in rows))

    return _rate(run, talk)


def _send(run: Run, path: str, batches: Rows) -> Talk:
    return bulk(run.ours.gateway_key, path, batches, run.sizes.seconds)


def _rate(run: Run, talk: Callable[[], Talk]) -> float:
    """Rows a second over all connections."""
    return converse(run.ours.port, [talk() for _ in range(CONNECTIONS)]).rate(BULK) * run.sizes.batch
