"""What a quota window counts, from raw usage alone and in the plainest way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quota.windows import EPOCH, Policy, Rule

Usage = list[tuple[datetime, int]]


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def counted(rule: Rule, usage: Usage, moment: datetime) -> int:
    """What counts at `moment` of usage that is given as moments and nano-dollars."""
    length = timedelta(seconds=rule.length_seconds)
    if rule.policy is Policy.ROLLING:
        step = rule.length_seconds * 1_000_000 // 60
        this_step = micros(moment) // step
        return sum(n for at, n in usage if this_step - 60 < micros(at) // step <= this_step)
    if rule.policy is Policy.FIXED:
        assert rule.anchor is not None
        start = rule.anchor
        while start > moment:
            start -= length
        while start + length <= moment:
            start += length
        return sum(n for at, n in usage if start <= at < start + length)
    opened = None
    for at, _ in sorted(usage):
        if at <= moment and (opened is None or at >= opened + length):
            opened = at
    if opened is None or moment >= opened + length:
        return 0
    return sum(n for at, n in usage if opened <= at < opened + length)


@dataclass
class FirstUseWindows:
    """`first_use` windows as they open, call by call in the order of arrival; none ever moves."""

    rule: Rule
    used: dict[datetime, int] = field(default_factory=dict)

    def of(self, moment: datetime) -> datetime:
        """When the window begins that usage at `moment` counts in, opened or not."""
        for start in self.used:
            if start <= moment < start + self.rule.length:
                return start
        for start in sorted(self.used):
            if moment < start < moment + self.rule.length:
                return start
        return moment

    def add(self, moment: datetime, nanousd: int) -> datetime:
        """Where it counts from now on. Nothing is enough to open a window."""
        start = self.of(moment)
        self.used[start] = self.used.get(start, 0) + nanousd
        return start
