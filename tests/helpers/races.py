"""Threads that start together, each with a database connection of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import OperationalError, connection, connections

from tests.helpers.citus import ACTIVITY
from tokenplan.kit.transactions import state_of

T = TypeVar("T")
LOCK_NOT_AVAILABLE = "55P03"


def race(*runners: Callable[[], T]) -> list[T | Exception]:
    """What each returned or raised, in the order given."""
    line = threading.Barrier(len(runners))

    def run(runner: Callable[[], T]) -> T | Exception:
        line.wait(30)
        try:
            return runner()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(runners)) as pool:
        return list(pool.map(run, runners))


def patient(act: Callable[[], T]) -> T:
    """Asks again where a lock was waited for too long: on a busy machine a queue of many may last longer."""
    while True:
        try:
            return act()
        except OperationalError as error:
            if state_of(error) != LOCK_NOT_AVAILABLE:
                raise


def waiting(kind: str, many: int, seconds: float = 10) -> None:
    """Returns once so many of this database's transactions wait for locks of this kind; "" is any kind."""
    sql = f"""SELECT count(*) FROM {ACTIVITY}
        WHERE wait_event_type = 'Lock' AND wait_event LIKE %s AND datname = current_database()"""
    end = time.monotonic() + seconds
    with connection.cursor() as cursor:
        while time.monotonic() < end:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # kept until a transaction ends, else
            cursor.execute(sql, [kind or "%"])
            if cursor.fetchone()[0] >= many:
                return
    raise AssertionError(f"nobody waits for {kind or 'a lock'}")
