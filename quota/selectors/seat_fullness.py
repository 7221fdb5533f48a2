"""How full the seats of a Team are, each by its fullest window."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from enum import StrEnum

from quota.outlook import NEARLY_FULL
from quota.selectors.usage_bar import UsageBar, usage_bars
from teams.models import SeatHolding, Team

# Of more seats nobody reads all bars for one picture.
MOST_SEATS = 500


class Fullness(StrEnum):
    """`FULL` has no room for a small call; `UNUSED` has used nothing of any window."""

    FULL = "full"
    NEARLY = "nearly"
    OVER_HALF = "over_half"
    UNDER_HALF = "under_half"
    UNUSED = "unused"


def seat_fullness(team: Team, at: datetime) -> dict[Fullness, int]:
    """How many of the held seats whose plan works are how full, the fullest first, those alone that there
    are. Empty for a Team of more than 500 held seats.
    """
    holdings = SeatHolding.objects.for_team(team).at(at).select_related("membership")
    members = [holding.membership for holding in holdings[: MOST_SEATS + 1]]
    if len(members) > MOST_SEATS:
        return {}
    counts = Counter(_fullness(bar) for bar in usage_bars(members, at) if bar.windows)
    return {fullness: counts[fullness] for fullness in Fullness if counts[fullness]}


def _fullness(bar: UsageBar) -> Fullness:
    used = max(window.used_percent for window in bar.windows)
    if bar.room_at is not None:
        return Fullness.FULL
    if used >= NEARLY_FULL:
        return Fullness.NEARLY
    if used >= 50:
        return Fullness.OVER_HALF
    return Fullness.UNDER_HALF if any(window.used for window in bar.windows) else Fullness.UNUSED
