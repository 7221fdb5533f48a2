"""What a quota window counts, from raw usage alone and in the plainest way."""

from __future__ import annotations

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
