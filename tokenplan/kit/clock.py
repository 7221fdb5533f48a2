"""The clock that all of our servers share, and how long one task works before others have their turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The moment by the database's clock, UTC. Sweeps go by it: a worker's own may be minutes ahead, and then
    what has not ended would be taken for over.

    It is asked before a sweep locks anything. What was over by then is over after the wait, too.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        return moment


@dataclass(frozen=True, slots=True)
class Turn:
    """A sweep asks it between two parts, each of which is a transaction that the database ends in time: who
    works in a thread cannot be ended from outside. What is left then is for the next run.

    `seconds` from when it was made; None: as long as it takes. `clock` counts seconds.
    """

    seconds: float | None
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "began", self.clock())

    def is_over(self) -> bool:
        return self.seconds is not None and self.clock() - self.began > self.seconds


WITHOUT_END = Turn(None)
