"""How many bytes a gated call adds to the database, indexes included."""

from __future__ import annotations

from collections import Counter

from benchmarks.calls import so_many_calls
from benchmarks.figures import Figure, Goal
from benchmarks.run import Run
from benchmarks.scratch import Scratch, value_of

CONNECTIONS = 16
# All tables, with what is stored beside them, and all indexes, each by itself: also what a call writes
# elsewhere counts. Months of calls are named after their table.
SIZES = r"""
SELECT regexp_replace(c.relname, '_(to_\d+_\d+|\d+_\d+|later)', ''),
    sum(CASE c.relkind WHEN 'i' THEN pg_relation_size(c.oid) ELSE pg_table_size(c.oid) END)::bigint
FROM pg_class c
WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'pgbench%'
GROUP BY 1
"""
LOG = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"
# Of what is said: so much a call or more, in bytes.
WORTH_SAYING = 5


def measure(run: Run) -> list[Figure]:
    """In kilobytes of 1,000 bytes; what grows most is said, table by table and index by index."""
    calls, target = run.sizes.calls, run.ours
    run.say(f"Bytes that each of {calls:,} gated calls adds")
    # Steady growth: pages of a B-tree that keys fall into at random fill for some hundred calls of a Team
    # and are then split all at once, and what earlier work has freed is filled first: beside the targets
    # before this one a fifth less was seen. So what they have freed is given back, as many calls go before as
    # are counted, their dead rows are freed as autovacuum does it, and what is counted is one long span, and
    # no median of short ones in which most pages only fill.
    with target.connect() as connection:
        connection.execute("VACUUM FULL")
    _make(run, calls)
    before, log = _sizes(target), _log(target)
    _make(run, calls)
    logged = _log(target) - log
    with target.connect() as connection:
        connection.execute("VACUUM")
    grown = _sizes(target)
    grown.subtract(before)
    for name, size in grown.most_common():
        if size >= WORTH_SAYING * calls:
            run.say(f"  {name}: {size / calls:.0f} bytes a call")
    return [
        Figure("stored a call", grown.total() / calls / 1000, "kB", Goal(most=0.8)),
        Figure("written to the log", logged / calls / 1000, "kB"),
    ]


def _make(run: Run, calls: int) -> None:
    """So many calls, beginning with a checkpoint and without dead rows."""
    with run.ours.connect() as connection:
        connection.execute("VACUUM")
        connection.execute("CHECKPOINT")
    so_many_calls(run.ours.port, run.ours.gateway_key, run.ours.keys, calls, connections=CONNECTIONS)


def _sizes(target: Scratch) -> Counter[str]:
    """Bytes by the name of the table or the index."""
    with target.connect() as connection:
        return Counter({str(name): int(str(size)) for name, size in connection.execute(SIZES)})


def _log(target: Scratch) -> float:
    with target.connect() as connection:
        return float(value_of(connection, LOG))
