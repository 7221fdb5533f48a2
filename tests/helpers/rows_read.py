"""How many rows of each table a piece of work reads, by whatever plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from django.db import connection


def read_by(work: Callable[[], object]) -> Counter[str]:
    """By the name of the table; partitions count for themselves. Inside of one transaction."""
    before = _rows_read()
    work()
    return _rows_read() - before


def forget_statistics() -> None:
    """To the end of the transaction the planner knows of all tables as little as of new ones: what earlier
    tests have left behind decides nothing, and nothing else counts the rows meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_class SET relpages = 0, reltuples = -1 "
            "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')"
        )
        # What was found in columns outlives a TRUNCATE, too.
        cursor.execute(
            "DELETE FROM pg_statistic WHERE starelid IN "
            "(SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
        )


def _rows_read() -> Counter[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) "
            "FROM pg_stat_xact_user_tables"
        )
        return Counter({name: int(read) for name, read in cursor.fetchall()})
