"""Windows as holds and charges keep them, packed: five whole numbers each, in the order of the plan's limits.

Everything else that a window says follows from its limit, and the limits of a plan version never change. As
JSON, as they are answered, they would be most of what a call stores.

The numbers of a window are what is used and what is held, in nano-dollars; when it resets; when usage leaves
it next, or 0 where none will; and how much leaves. A moment is mostly a whole minute: then it is twice the
minutes since 1970, else one more than twice the microseconds. A charge keeps its windows before and after,
and of those after only how much each number is more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from operator import add, sub

from quota.packed_numbers import packed, unpacked
from quota.windows import EPOCH, Limit, QuotaWindow, Release

NUMBERS = 5
_MICROSECOND = timedelta(microseconds=1)
_MINUTE = 60_000_000


def kept_of(*states: Iterable[QuotaWindow]) -> bytes:
    """The windows of one moment, or of one after the other, of the same limits."""
    kept: list[int] = []
    before: Sequence[int] = ()
    for windows in states:
        numbers = _numbers(windows)
        kept += map(sub, numbers, before) if before else numbers
        before = numbers
    return packed(kept)


def windows_of(
    limits: Sequence[Limit], kept: bytes | memoryview, *, states: int = 1
) -> list[list[QuotaWindow]]:
    """The windows of these limits at each of so many moments. Raises ValueError where they are of other
    limits, or of more or fewer moments.
    """
    numbers, each = unpacked(kept), NUMBERS * len(limits)
    if len(numbers) != each * states:
        raise ValueError(f"{len(numbers)} numbers are not those of {len(limits)} windows at {states} moments")
    of_each = [numbers[each * state : each * (state + 1)] for state in range(states)]
    for before, after in pairwise(of_each):
        after[:] = map(add, before, after)
    return [_windows(limits, one) for one in of_each]


def _windows(limits: Sequence[Limit], numbers: Sequence[int]) -> list[QuotaWindow]:
    windows = []
    for limit, first in zip(limits, range(0, len(numbers), NUMBERS), strict=True):
        used, held, resets, release, released = numbers[first : first + NUMBERS]
        resets_at = _moment(resets)
        next_release = Release(_moment(release), released) if release else None
        windows.append(QuotaWindow(limit, used, held, resets_at - limit.rule.length, resets_at, next_release))
    return windows


def _numbers(windows: Iterable[QuotaWindow]) -> list[int]:
    numbers: list[int] = []
    for window in windows:
        release = window.next_release
        numbers += (window.used, window.held, _number(window.resets_at))
        numbers += (_number(release.at), release.nanousd) if release else (0, 0)
    return numbers


def _number(moment: datetime) -> int:
    microseconds = (moment - EPOCH) // _MICROSECOND
    minutes, rest = divmod(microseconds, _MINUTE)
    return microseconds * 2 + 1 if rest else minutes * 2


def _moment(number: int) -> datetime:
    count, is_exact = divmod(number, 2)
    return EPOCH + timedelta(microseconds=count if is_exact else count * _MINUTE)
