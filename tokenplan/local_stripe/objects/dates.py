"""Billing periods. Moments are seconds since 1970, UTC."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime

# Start and end of a billing period; the end is the start of the next one.
Period = tuple[int, int]
HOUR = 3600
DAY = 24 * HOUR
SECONDS = {"day": DAY, "week": 7 * DAY}
MONTHS = {"month": 1, "year": 12}


def later(start: int, interval: str, count: int) -> int:
    """The moment so many intervals after `start`. A month later it is the same day, or the month's last
    one.
    """
    if interval in SECONDS:
        return start + SECONDS[interval] * count
    moment = datetime.fromtimestamp(start, UTC)
    months = moment.year * 12 + moment.month - 1 + MONTHS[interval] * count
    year, month = divmod(months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return int(moment.replace(year=year, month=month + 1, day=day).timestamp())


def boundary_after(anchor: int, interval: str, count: int, moment: int) -> int:
    """The first end of a period after `moment`, where periods are counted from `anchor`. An anchor on the
    31st ends one period on the 28th of February, and the next on the 31st of March.
    """
    number = max(0, (moment - anchor) // (later(anchor, interval, count) - anchor) - 1)
    while later(anchor, interval, count * number) > moment and number:
        number -= 1
    while later(anchor, interval, count * number) <= moment:
        number += 1
    return later(anchor, interval, count * number)


def day_text(moment: int) -> str:
    """Such as 5 Nov 2026."""
    day = datetime.fromtimestamp(moment, UTC)
    return f"{day.day} {day:%b %Y}"
