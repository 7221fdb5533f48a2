"""How many bytes a gated call adds to the database, indexes included."""

from __future__ import annotations

from statistics import median

from benchmarks.calls import SETTLE, gated_calls, shared_out
from benchmarks.client import converse
from benchmarks.figures import Figure, Goal
from benchmarks.run import Run
from benchmarks.scratch import value_of

CONNECTIONS = 16
# All tables, with their indexes and what is stored beside them: also what a call writes elsewhere counts.
SIZE = """
SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'pgbench%'
"""
LOG = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"


def measure(run: Run) -> list[Figure]:
    """In kilobytes of 1,000 bytes. Each round is counted after a vacuum, which frees what updates have left
    behind for the next calls, as autovacuum does.
    """
    run.say("Bytes that a gated call adds")
    _grown(run)  # the first round also fills what earlier work has freed
    (rounds,) = run.in_turns(lambda: _grown(run))
    return [
        Figure("stored a call", median(stored for stored, _ in rounds), "kB", Goal(most=0.8)),
        Figure("written to the log", median(logged for _, logged in rounds), "kB"),
    ]


def _grown(run: Run) -> tuple[float, float]:
    """By how much a call has made the tables, and the write-ahead log, longer."""
    target = run.ours
    with target.connect() as connection:
        connection.execute("CHECKPOINT")
        size, log = value_of(connection, SIZE), value_of(connection, LOG)
        shares = shared_out(target.keys, CONNECTIONS)
        talks = [gated_calls(target.gateway_key, keys, run.sizes.seconds) for keys in shares]
        calls = len(converse(target.port, talks).of[SETTLE])
        logged = value_of(connection, LOG) - log
        connection.execute("VACUUM")
        return float(value_of(connection, SIZE) - size) / calls / 1000, float(logged) / calls / 1000
