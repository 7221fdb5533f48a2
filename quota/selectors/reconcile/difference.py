"""What a check has found, and how a check that is one statement of SQL is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not agree. `str()` of it is one line for a person; amounts are nano-dollars."""

    about: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.about}: {self.expected} expected, {self.found} found"


def found_by(sql: str, **values: Any) -> Iterator[Difference]:
    """The rows of a statement with three columns: what it is about, what is expected, what is there."""
    for about, expected, found in rows_of(sql, **values):
        yield Difference(about, str(expected), str(found))


def rows_of(sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """All rows that a statement reads. JSON is text."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
