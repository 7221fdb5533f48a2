"""Threads that start together, each with a database connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def race(*runners: Callable[[], T]) -> list[T | Exception]:
    """What each returned or raised, in the order given."""
    line = threading.Barrier(len(runners))

    def run(runner: Callable[[], T]) -> T | Exception:
        line.wait()
        try:
            return runner()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(runners)) as pool:
        return list(pool.map(run, runners))
