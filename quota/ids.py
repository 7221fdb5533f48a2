"""Ids of what every call writes: they carry their time, so that new rows stand together in each index."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

# Smaller than any id.
NO_ID = UUID(int=0)
_RANDOM_BITS = 74
_MS_SHIFT = 80  # of the 128 bits, the first 48 are milliseconds since 1970
# The last bits of an id that names its Team.
_TEAM_BITS = 36
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds since 1970, and 74 random ones. Its time is for
    the order of rows alone; no decision reads it.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(_RANDOM_BITS)
    high, low = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=milliseconds << _MS_SHIFT | 7 << 76 | high << 64 | 2 << 62 | low)


def new_id_of(team_id: int) -> UUID:
    """An id of version 8 that carries its time as one of `new_id` does, 38 random bits, and the number of its
    Team: where Teams are shared out over servers, it says on which one that is.
    """
    if team_id >> _TEAM_BITS:
        return new_id()
    random = secrets.randbits(_RANDOM_BITS - _TEAM_BITS) << _TEAM_BITS | team_id
    milliseconds = time.time_ns() // 1_000_000
    high, low = random >> 62, random & ((1 << 62) - 1)
    return UUID(int=milliseconds << _MS_SHIFT | 8 << 76 | high << 64 | 2 << 62 | low)


def team_in(id: UUID) -> int | None:
    """The number of the Team, where the id carries it."""
    return id.int & ((1 << _TEAM_BITS) - 1) if id.version == 8 else None


def first_id_at(moment: datetime) -> UUID:
    """No id that was made at the moment (aware) or later is smaller, nor an earlier one larger, to the
    millisecond.
    """
    return UUID(int=(moment - _EPOCH) // timedelta(milliseconds=1) << _MS_SHIFT)


def moment_of(id: UUID) -> datetime:
    """When it was made, in UTC, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=id.int >> _MS_SHIFT)


def earlier(id: UUID, by: timedelta) -> UUID:
    """The last id of the millisecond that lies so much before that of this id."""
    last_ms = max((id.int >> _MS_SHIFT) - by // timedelta(milliseconds=1), 0)
    return UUID(int=(last_ms << _MS_SHIFT) + (1 << _MS_SHIFT) - 1) if last_ms else NO_ID
