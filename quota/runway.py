"""How long Credits last at the present pace, and what of them expires unused: pure.

Amounts are nano-dollars, moments aware UTC. Lots are in the order of drawing: the soonest to expire first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quota.outlook import Pace

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Lot:
    left: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Runway:
    """`ends_at` is when the last lot is used up; None: it expires first, or nothing is used. `losses` is what
    expires unused before, as moment and amount.
    """

    ends_at: datetime | None
    losses: tuple[tuple[datetime, int], ...]


def runway(lots: Sequence[Lot], pace: Pace | None, at: datetime) -> Runway:
    """What becomes of the lots from the moment `at` on. Without a pace nothing is used."""
    ends_at, losses = None, []
    for lot, used, end in _drawn(lots, pace, at, datetime.max.replace(tzinfo=at.tzinfo)):
        ends_at = end if used == lot.left else None
        if used < lot.left:
            losses.append((lot.expires_at, lot.left - used))
    return Runway(ends_at, tuple(losses))


def left_at(lots: Sequence[Lot], pace: Pace | None, at: datetime, moment: datetime) -> int:
    """What is left of the lots at a later moment."""
    drawn = _drawn(lots, pace, at, moment)
    return sum(lot.left - used for lot, used, _end in drawn if lot.expires_at > moment)


def _drawn(
    lots: Sequence[Lot], pace: Pace | None, at: datetime, until: datetime
) -> Iterator[tuple[Lot, int, datetime]]:
    """Of each lot how much is used, and when the next one's turn comes."""
    for lot in lots:
        end = min(lot.expires_at, until)
        used = min(lot.left, _used(pace, end - at)) if pace else 0
        at = min(at + _takes(pace, used), end) if pace and used == lot.left else end
        yield lot, used, at


def _used(pace: Pace, time: timedelta) -> int:
    return pace.nanousd * (time // MICROSECOND) // (pace.over // MICROSECOND)


def _takes(pace: Pace, nanousd: int) -> timedelta:
    """The least time in which so much is used."""
    return -(-nanousd * (pace.over // MICROSECOND) // pace.nanousd) * MICROSECOND
