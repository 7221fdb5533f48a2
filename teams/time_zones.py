"""Time zones by their names in the IANA database, such as `Europe/Berlin`."""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

DEFAULT = "UTC"
# Names that are offered. The others are older names of these, or offsets without a place.
AREAS = (
    "Africa",
    "America",
    "Antarctica",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)


@cache
def known_names() -> frozenset[str]:
    """All that a person may have."""
    return frozenset(available_timezones())


@cache
def offered_names() -> tuple[str, ...]:
    """UTC, then places in the order of the alphabet."""
    return (DEFAULT, *sorted(name for name in known_names() if name.partition("/")[0] in AREAS))


def zone_of(name: str) -> tzinfo:
    """The zone; UTC for a name that the database, which changes, has no more."""
    return ZoneInfo(name) if name in known_names() else UTC
