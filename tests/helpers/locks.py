"""Two verbs at once, of which the second meets the first in the middle: it has written and not committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any

from django.db import connection, connections, transaction
from django.db.models import QuerySet

from tests.helpers.citus import ACTIVITY

WAITS = f"""SELECT pid FROM {ACTIVITY}
    WHERE wait_event_type = 'Lock' AND wait_event = 'transactionid' AND datname = current_database()"""


@dataclass
class Case:
    """A race: what the first does, what the second does meanwhile, and what holds when both are through."""

    first: Callable[[], object]
    second: Callable[[], object]
    holds: Callable[[], bool]
    # What the second is refused with, where it is.
    refused: type[Exception] | None = None
    # What the first does then, with its transaction still open.
    meanwhile: Callable[[], object] | None = None
    answer: object = field(default=None, init=False)

    def run(self) -> None:
        """The second starts once the first has written, and sees its end only where it waits for it."""
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                self.first()
                second = pool.submit(self._second)
                _until_it_waits_or_is_done(second)
                if self.meanwhile:
                    self.meanwhile()
            self.answer = second.result(30)

    def is_lost(self) -> bool:
        """Whether the second decided by what was there before the first."""
        wrong = isinstance(self.answer, Exception)
        answered = isinstance(self.answer, self.refused) if self.refused else not wrong
        return not (answered and self.holds())

    def _second(self) -> object:
        try:
            return self.second()
        except Exception as error:
            return error
        finally:
            connections.close_all()


def is_lost_without_locks_alone(case: Callable[[], Case]) -> None:
    """Shows that the case is a race, by losing it, and then that it is not lost."""
    control = case()
    with without_locks():
        control.run()
    assert control.is_lost(), f"no race: {control.answer!r}"
    race = case()
    race.run()
    assert not race.is_lost(), f"lost: {race.answer!r}"


def _until_it_waits_or_is_done(second: Future[object]) -> None:
    with connection.cursor() as cursor:
        while not second.done():
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # kept until a transaction ends, else
            cursor.execute(WAITS)
            if cursor.rowcount:
                return


@contextmanager
def without_locks() -> Iterator[None]:
    """No thread but this one locks what it reads."""
    this, real = get_ident(), QuerySet.select_for_update

    def reads(rows: QuerySet[Any], *args: Any, **kwargs: Any) -> QuerySet[Any]:
        return real(rows, *args, **kwargs) if get_ident() == this else rows.all()

    QuerySet.select_for_update = reads  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        QuerySet.select_for_update = real  # type: ignore[method-assign]
