"""What a check has found, and how a check that is one statement of SQL is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from quota.selectors.reconcile.copies import copied_for


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not agree. `str()` of it is one line for a person; amounts are nano-dollars."""

    about: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.about}: {self.expected} expected, {self.found} found"


@dataclass(frozen=True, slots=True)
class Kept:
    """From which ids on events and holds are kept; smaller ones have been dropped."""

    events_from: UUID
    holds_from: UUID

    @property
    def events_since(self) -> datetime:
        """All events are kept that were recorded from here on."""
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self.events_from.int >> 80)

    @property
    def sums_since(self) -> datetime | None:
        """From here on every event is kept that counts in a sum: the beginning of a month, 31 days later at
        least, since a window may be as long. None: nothing was dropped.
        """
        if not self.events_from.int:
            return None
        return (self.events_since + timedelta(days=62)).replace(day=1)


def kept_calls() -> Kept:
    """What there is to check."""
    found = rows_of("SELECT events_from, holds_from FROM quota_keptcalls")
    return Kept(*found[0]) if found else Kept(UUID(int=0), UUID(int=0))


def found_by(sql: str, **values: Any) -> Iterator[Difference]:
    """The rows of a statement with three columns: what it is about, what is expected, what is there."""
    for about, expected, found in rows_of(sql, **values):
        yield Difference(about, str(expected), str(found))


def rows_of(sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """All rows that a statement reads. JSON is text."""
    with copied_for(sql, values), connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
