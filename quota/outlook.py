"""What lies ahead of a window: what it gives back when, and how long its room lasts.

Pure, as quota/windows.py: amounts are nano-dollars, moments aware UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quota.windows import Bucket, Limit, Policy, QuotaWindow, Release

# Percent of a window from which on it is mailed of, its bar warns, and the Overview names its holder.
NEARLY_FULL = 80
# The pace is that of so many steps of a rolling window: of the 5-hour one the last half hour.
STEPS_OF_PACE = 6
YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Pace:
    """So much was used in so much time."""

    nanousd: int
    over: timedelta

    def takes(self, nanousd: int) -> timedelta:
        """How long it takes to use so much, up to a year. The pace must not be 0."""
        microseconds = self.over // timedelta(microseconds=1) * nanousd // self.nanousd
        return timedelta(microseconds=min(microseconds, YEAR // timedelta(microseconds=1)))


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of one window at the moment `at`. `releases` is what a rolling window gives back, the first first.
    `room_at` is when a small call fits again; None: it fits now. `lasts` is how long the room lasts at the
    present pace; None: nothing is used, or it lasts until the window has given everything back.
    """

    at: datetime
    releases: tuple[Release, ...] = ()
    room_at: datetime | None = None
    lasts: timedelta | None = None


def releases_of(limit: Limit, buckets: Sequence[Bucket], moment: datetime) -> tuple[Release, ...]:
    """What counts in a rolling window now, by when it leaves it; nothing for a window that resets at once."""
    rule = limit.rule
    if rule.policy is not Policy.ROLLING:
        return ()
    end = rule.bucket_start(moment) + rule.step
    inside = sorted(
        bucket for bucket in buckets if end - rule.length <= bucket.starts_at < end and bucket.used
    )
    return tuple(Release(bucket.starts_at + rule.length, bucket.used) for bucket in inside)


def pace_of(limit: Limit, buckets: Sequence[Bucket], moment: datetime) -> Pace:
    """How quickly is used what a rolling window counts."""
    rule = limit.rule
    start = rule.bucket_start(moment) - (STEPS_OF_PACE - 1) * rule.step
    used = sum(bucket.used for bucket in buckets if start <= bucket.starts_at <= moment)
    return Pace(used, max(moment - start, rule.step))


def lasts(
    window: QuotaWindow, releases: Sequence[Release], pace: Pace | None, moment: datetime
) -> timedelta | None:
    """How long the room lasts at this pace, with what is given back meanwhile; None as in `Outlook`."""
    if pace is None or pace.nanousd <= 0 or window.room <= 0:
        return None
    rule = window.limit.rule
    horizon = rule.length if rule.policy is Policy.ROLLING else window.resets_at - moment
    room = window.room
    for release in releases:
        if (until := pace.takes(room)) < release.at - moment:
            return until
        room += release.nanousd
    until = pace.takes(room)
    return until if until < horizon else None
