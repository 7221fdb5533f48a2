"""Measures gated calls a second and, in turns, `pgbench -N` on the same database.

Run it as `python -m benchmarks.gated_calls`; README.md in this folder says how to read the result.
"""

from __future__ import annotations

import argparse
import os
from statistics import median

from benchmarks.client import Times, drive
from benchmarks.processor_time import processor_time
from benchmarks.scratch import Scratch, scratch
from benchmarks.simple_update import simple_update
from quota.replay.tally import percentile


def main() -> None:
    options = arguments()
    with scratch(options.seats, apart=options.apart) as target:
        other = simple_update(target)
        print(describe(target, other.name, options))
        drive(target, seconds=2, clients=options.clients, processes=options.processes)  # warms all up
        print(f"{'round':>6} {'gated calls/s':>15} {'pgbench -N tps':>16} {'ratio':>7}")
        total, rates, ratios, costs = Times(), [], [], []
        for number in range(1, options.rounds + 1):
            before = processor_time(target)
            times = drive(
                target, seconds=options.seconds, clients=options.clients, processes=options.processes
            )
            spent = processor_time(target) - before
            costs.append((spent.web / len(times.settle), spent.database / len(times.settle)))
            tps = other.transactions_per_second(
                seconds=options.seconds, clients=options.clients, threads=options.processes
            )
            total += times
            rates.append(times.calls_per_second)
            ratios.append(times.calls_per_second / tps)
            print(f"{number:>6} {rates[-1]:>15.1f} {tps:>16.1f} {ratios[-1]:>7.3f}", flush=True)
        print(f"\nmedian {median(rates):.1f} gated calls/s, {median(ratios):.3f} of pgbench -N")
        print(f"(a gated call is two transactions: {2 * median(ratios):.3f} of its transactions)")
        web, database = (1000 * median(of_each) for of_each in zip(*costs, strict=True))
        print(f"processor time of a gated call: web {web:.2f} ms, PostgreSQL {database:.2f} ms")
        for name, seconds in (("authorize", total.authorize), ("settle", total.settle)):
            p50, p99 = percentile(seconds, 50) * 1000, percentile(seconds, 99) * 1000
            print(f"{name:<10} p50 {p50:.1f} ms   p99 {p99:.1f} ms")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="of each turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8, help="connections at once, of either")
    parser.add_argument("--processes", type=int, default=2, help="that the clients run in")
    parser.add_argument("--seats", type=int, default=32, help="over which calls are spread; one is one lock")
    parser.add_argument("--apart", action="store_true", help="ask the server that answers gateways alone")
    return parser.parse_args()


def describe(target: Scratch, other: str, options: argparse.Namespace) -> str:
    with target.connect() as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), current_setting('fsync'), "
            "current_setting('synchronous_commit')"
        ).fetchone()
    version, fsync, commit = row or ("?", "?", "?")
    return (
        f"PostgreSQL {version}, fsync {fsync}, synchronous_commit {commit}; {os.cpu_count()} cores; {other}\n"
        f"{options.clients} clients in {options.processes} processes, {options.seats} seats, "
        f"{options.rounds} rounds of {options.seconds} s each\n"
    )


if __name__ == "__main__":
    main()
