"""Measures calls over leases and, in turns, gated calls on one installation: what a call costs the console.

A leased call is one row of a bulk draw; its lease is asked for once for each batch. Run it as
`python -m benchmarks.leased_calls`; README.md in this folder says how to read the result.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median

from benchmarks.client import USAGE, Client, drive
from benchmarks.scratch import Scratch, scratch

HOLD_NANOUSD = 500_000_000


def main() -> None:
    options = arguments()
    with scratch(options.seats) as target:
        drive(target, seconds=2, clients=options.clients, processes=options.processes)  # warms all up
        print(f"{'round':>6} {'gated calls/s':>15} {'leased calls/s':>16} {'ratio':>7}")
        ratios = []
        for number in range(1, options.rounds + 1):
            times = drive(
                target, seconds=options.seconds, clients=options.clients, processes=options.processes
            )
            leased = calls_over_leases(target, options)
            ratios.append(leased / times.calls_per_second)
            rates = f"{times.calls_per_second:>15.1f} {leased:>16.1f} {ratios[-1]:>7.2f}"
            print(f"{number:>6} {rates}", flush=True)
        print(f"\nmedian {median(ratios):.2f} leased calls for a gated one, {options.batch} draws a batch")


def calls_over_leases(target: Scratch, options: argparse.Namespace) -> float:
    """Calls a second, over one connection a process."""
    with ProcessPoolExecutor(options.processes, multiprocessing.get_context("spawn")) as pool:
        work = partial(_draw, target, options.seconds, options.batch)
        return sum(pool.map(work, (target.keys[n :: options.processes] for n in range(options.processes))))


def _draw(target: Scratch, seconds: float, batch: int, keys: list[str]) -> float:
    client, begun, calls = Client(target), time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        ask: dict[str, object] = {
            "request_id": uuid.uuid4().hex,
            "key": keys[calls // batch % len(keys)],
            "hold_nanousd": HOLD_NANOUSD,
            "lifetime_seconds": 60,
        }
        lease = client.post("/api/v1/gateway/authorize", ask, 201)["reservation"]
        rows = [
            {"reservation": lease, "id": str(n), "model": "MiniMax-M2.7", "usage": USAGE, "final": False}
            for n in range(batch)
        ]
        client.post("/api/v1/gateway/settlements", {"settlements": rows}, 200)
        client.post(f"/api/v1/gateway/reservations/{lease}/release", {}, 200)
        calls += batch
    return calls / (time.perf_counter() - begun)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8, help="connections at once of the gated calls")
    parser.add_argument("--processes", type=int, default=2, help="that the clients run in")
    parser.add_argument("--batch", type=int, default=200, help="draws of a lease, and rows of a request")
    parser.add_argument("--seats", type=int, default=32, help="over which calls are spread")
    return parser.parse_args()


if __name__ == "__main__":
    main()
