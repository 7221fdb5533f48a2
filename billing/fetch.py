"""What Stripe answered, with a number that says how recent the answer is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import connection

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Fetched(Generic[T]):
    """An answer of Stripe's. `sequence` was taken before Stripe was asked, so of two answers the one with the
    higher number is at least as recent.

    A row keeps the number of the answer that it shows, and drops an answer with a lower one. What changed at
    Stripe after an answer has an event of its own, which is synced later, so nothing is lost by that.
    """

    value: T
    sequence: int

    def holding(self, value: U) -> Fetched[U]:
        """A part of the same answer: it is as recent."""
        return Fetched(value, self.sequence)


def fetch(ask: Callable[[], T]) -> Fetched[T]:
    """Takes the next number, then asks. Raises what `ask` raises. The one way to begin a Fetched."""
    sequence = _next_sequence()
    return Fetched(ask(), sequence)


def _next_sequence() -> int:
    """Higher than all before, in every process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('billing_fetch_sequence')")
        row: tuple[int] = cursor.fetchone()
    return row[0]
