"""What Stripe answered, with a number that says how recent the answer is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import connection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched(Generic[T]):
    """An answer of Stripe's. `sequence` was taken before Stripe was asked, so of two answers the one with the
    higher number is at least as recent.

    A row keeps the number of the answer that it shows, and drops an answer with a lower one. What changed at
    Stripe after an answer has an event of its own, which is synced later, so nothing is lost by that.
    """

    value: T
    sequence: int


def fetch(ask: Callable[[], T]) -> Fetched[T]:
    """Takes the next number, then asks. Raises what `ask` raises. The one way to make a Fetched."""
    sequence = _next_sequence()
    return Fetched(ask(), sequence)


def fetch_all(ask: Callable[[], Iterable[T]]) -> list[Fetched[T]]:
    """Likewise for a list: each element carries the number that was taken before the list was asked for."""
    fetched = fetch(lambda: list(ask()))
    return [Fetched(value, fetched.sequence) for value in fetched.value]


def _next_sequence() -> int:
    """Higher than all before, in every process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('billing_fetch_sequence')")
        row: tuple[int] = cursor.fetchone()
    return row[0]
