"""`pgbench -N`, which our own figures are compared with; where there is no pgbench, the same in Python."""

from __future__ import annotations

import random
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

from benchmarks.scratch import Scratch, postgres_program

SCALE = 10
ACCOUNTS = 100_000 * SCALE


class Pgbench:
    """PostgreSQL's own benchmark."""

    def __init__(self, target: Scratch, path: str) -> None:
        self._command = [path, "-n"]
        self._dsn = target.dsn
        version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        self.name = version.stdout.strip()
        subprocess.run([path, "-i", "-q", "-s", str(SCALE), self._dsn], capture_output=True, check=True)

    def transactions_per_second(self, *, seconds: int, clients: int, threads: int) -> float:
        load = ["-N", "-T", str(seconds), "-c", str(clients), "-j", str(min(threads, clients))]
        result = subprocess.run(
            [*self._command, *load, self._dsn], capture_output=True, text=True, check=True
        )
        found = re.search(r"tps = ([\d.]+)", result.stdout)
        if not found:
            raise RuntimeError(f"pgbench said:\n{result.stdout}{result.stderr}")
        return float(found[1])


class StandIn:
    """pgbench's `simple-update` script, by psycopg. Slower than pgbench, so ratios to it are too high."""

    name = "a stand-in by psycopg, since no pgbench was found: ratios to it are too high"

    def __init__(self, target: Scratch) -> None:
        self._dsn = target.dsn
        with target.connect() as connection:
            connection.execute(
                "CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))"
            )
            connection.execute(
                "CREATE TABLE pgbench_history "
                "(tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))"
            )
            rows = "SELECT n, (n - 1) / 100000 + 1, 0, '' FROM generate_series(1, %s) AS n"
            connection.execute(f"INSERT INTO pgbench_accounts {rows}", [ACCOUNTS])
            connection.execute("VACUUM ANALYZE pgbench_accounts")

    def transactions_per_second(self, *, seconds: int, clients: int, threads: int) -> float:
        begun = time.perf_counter()

        def loop(seed: int) -> int:
            chance, done = random.Random(seed), 0
            with psycopg.connect(self._dsn, autocommit=True) as connection:
                while time.perf_counter() - begun < seconds:
                    account, delta = chance.randint(1, ACCOUNTS), chance.randint(-5000, 5000)
                    with connection.transaction():
                        connection.execute(
                            "UPDATE pgbench_accounts SET abalance = abalance + %s WHERE aid = %s",
                            [delta, account],
                        )
                        connection.execute("SELECT abalance FROM pgbench_accounts WHERE aid = %s", [account])
                        connection.execute(
                            "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) "
                            "VALUES (%s, %s, %s, %s, now())",
                            [chance.randint(1, 10 * SCALE), chance.randint(1, SCALE), account, delta],
                        )
                    done += 1
            return done

        with ThreadPoolExecutor(clients) as pool:
            return sum(pool.map(loop, range(clients))) / seconds


def simple_update(target: Scratch) -> Pgbench | StandIn:
    """pgbench where this machine has it, else the stand-in; with its tables filled."""
    path = postgres_program("pgbench")
    return Pgbench(target, path) if path else StandIn(target)
