"""Windows as holds and charges keep them: five whole numbers each, in the order of the plan's limits.

Everything else that a window says follows from its limit, and the limits of a plan version never change. As
JSON, as they are answered, they would be most of what a call stores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from quota.windows import EPOCH, Limit, QuotaWindow, Release

NUMBERS = 5
_MICROSECOND = timedelta(microseconds=1)


def numbers_of(windows: Iterable[QuotaWindow]) -> list[int | None]:
    """Of each window: used, held, when it resets, when usage leaves it next, and how much: twice None where
    none will. Amounts are nano-dollars, moments microseconds since 1970.
    """
    numbers: list[int | None] = []
    for window in windows:
        release = window.next_release
        numbers += [window.used, window.held, _number(window.resets_at)]
        numbers += [_number(release.at), release.nanousd] if release else [None, None]
    return numbers


def windows_of(limits: Sequence[Limit], numbers: Sequence[int | None]) -> list[QuotaWindow]:
    """The windows of these limits that the numbers were made of. Raises ValueError where they are of more."""
    windows = []
    for limit, first in zip(limits, range(0, len(numbers), NUMBERS), strict=True):
        used, held, resets, release, released = numbers[first : first + NUMBERS]
        resets_at = _moment(resets or 0)
        next_release = None if release is None else Release(_moment(release), released or 0)
        start = resets_at - limit.rule.length
        windows.append(QuotaWindow(limit, used or 0, held or 0, start, resets_at, next_release))
    return windows


def _number(moment: datetime) -> int:
    return (moment - EPOCH) // _MICROSECOND


def _moment(number: int) -> datetime:
    return EPOCH + timedelta(microseconds=number)
