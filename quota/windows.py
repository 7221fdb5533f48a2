"""Quota windows as a function of recorded usage and the clock. Pure: no database, no clock of its own.

A window rule (docs/rules.md) is one of

* ``rolling``: the last `length`, released in steps of length/60. The window at a moment is the 60 whole steps
  that end with the one the moment lies in, so usage older than `length` never counts.
* ``fixed``: windows of `length` laid end to end from an anchor, in UTC.
* ``first_use``: a window opens at the first call that no window contains, lasts `length`, and never moves. A
  call that is reported late, at a moment before a window that would have contained it, counts in that one.

Usage arrives summed into *buckets* (a step of a rolling window, a whole window otherwise); what is reserved
but not yet used arrives as *holds*, each at the moment it was made. All amounts are nano-dollars, all moments
aware UTC.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from quota.money import percent

STEPS = 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)
MIN_LENGTH_SECONDS = 3600
MAX_LENGTH_SECONDS = 31 * 86400


class Policy(StrEnum):
    ROLLING = "rolling"
    FIXED = "fixed"
    FIRST_USE = "first_use"


@dataclass(frozen=True)
class Rule:
    """How a window moves. Two limits with equal rules share their buckets, whatever their plan. What follows
    from its fields is worked out once.
    """

    policy: Policy
    length_seconds: int
    anchor: datetime | None = None

    @cached_property
    def length(self) -> timedelta:
        return timedelta(seconds=self.length_seconds)

    @cached_property
    def step(self) -> timedelta:
        return self.length / STEPS

    @cached_property
    def origin(self) -> datetime:
        """A moment at which a bucket begins; others begin whole buckets before and after it."""
        return self.anchor or EPOCH

    @cached_property
    def key(self) -> str:
        """Stored with every bucket: `rolling/18000`, `fixed/604800@345600`, `first_use/18000`."""
        key = f"{self.policy}/{self.length_seconds}"
        if self.policy is Policy.FIXED:
            offset = (self.origin - EPOCH) % self.length
            key += f"@{offset // timedelta(seconds=1)}"
        return key

    @classmethod
    @lru_cache(maxsize=256)
    def from_key(cls, key: str) -> Rule:
        """The rule with this key.

        Any anchor that gives the same windows is as good as the one it was made with.
        """
        policy, _slash, rest = key.partition("/")
        length, _at, offset = rest.partition("@")
        return cls(Policy(policy), int(length), EPOCH + timedelta(seconds=int(offset)) if offset else None)

    def counts_from(self, begins_at: datetime) -> datetime:
        """Where the first bucket begins that a window around `begins_at` or any later moment may count. The
        database function of the same name says the same.
        """
        if self.policy is Policy.FIXED:
            return self.bucket_start(begins_at)
        if self.policy is Policy.ROLLING:
            return self.bucket_start(begins_at) + self.step - self.length
        return begins_at - self.length

    def bucket_start(self, moment: datetime, buckets: Iterable[Bucket] = ()) -> datetime:
        """The start of the bucket that usage at `moment` is summed into.

        For `first_use`, `buckets` are the windows opened so far: the one that contains the moment, or else
        the one that begins within a length after it. Far from all of them it opens its own: no two overlap.
        """
        if self.policy is Policy.FIRST_USE:
            # Of those near by, only the first can contain it: the others begin a length later.
            near = (b.starts_at for b in buckets if abs(b.starts_at - moment) < self.length)
            return min(near, default=moment)
        width = self.step if self.policy is Policy.ROLLING else self.length
        return self.origin + (moment - self.origin) // width * width


class Bucket(NamedTuple):
    """A tuple, because each window is worked out from up to 60 of them, at every call and for every bar."""

    starts_at: datetime
    used: int


@dataclass(frozen=True, slots=True)
class Hold:
    """What is left of a live reservation's quota part. At `ends_at` it lapses by itself.

    For one call it counts at the moment it was made. A lease may be drawn from at any moment from then on, so
    it counts in every window that ends after it was made.
    """

    at: datetime
    nanousd: int
    ends_at: datetime = FOREVER
    is_lease: bool = False

    def counts_between(self, start: datetime, end: datetime) -> bool:
        """Whether it counts in the window from `start` to `end`."""
        return self.at < end and (self.is_lease or self.at >= start)


@dataclass(frozen=True, slots=True)
class Limit:
    """A named limit of a plan version."""

    name: str
    rule: Rule
    nanousd: int

    @property
    def label(self) -> str:
        """Its window as refusals and pages name it, in the active language: `5-hour`, `weekly`."""
        return window_label(self.name, self.rule.length_seconds)


def window_label(name: str, length_seconds: int) -> str:
    """A window as people call it, in the active language: by its length, or by the limit's `name` where the
    length is no whole number of hours.
    """
    hours, rest = divmod(length_seconds, 3600)
    if rest:
        return name
    if hours == 168:
        return _("weekly")
    if hours == 24:
        return _("daily")
    return ngettext("%(hours)s-hour", "%(hours)s-hour", hours) % {"hours": hours}


@dataclass(frozen=True, slots=True)
class Release:
    """Usage that leaves a rolling window."""

    at: datetime
    nanousd: int


@dataclass(frozen=True, slots=True)
class QuotaWindow:
    """A window at a moment: what the bar shows and what is enforced.

    `resets_at` is when all that counts now will have been released; a rolling window in which nothing counts
    gives the moment plus its length. `starts_at` lies one length before it.
    """

    limit: Limit
    used: int
    held: int
    starts_at: datetime
    resets_at: datetime
    next_release: Release | None

    @property
    def room(self) -> int:
        """What may still be used; negative after an overrun."""
        return self.limit.nanousd - self.used - self.held

    @property
    def remaining(self) -> int:
        return max(self.room, 0)

    @property
    def used_percent(self) -> Decimal:
        return percent(self.used, self.limit.nanousd)

    @property
    def is_full(self) -> bool:
        return self.room <= 0


def window_at(
    limit: Limit, buckets: Sequence[Bucket], holds: Sequence[Hold], moment: datetime
) -> QuotaWindow:
    """The window that usage at `moment` counts in.

    Where no `first_use` window is open, the one that a call now would open.
    """
    rule = limit.rule
    if rule.policy is Policy.ROLLING:
        return _rolling_window(limit, buckets, holds, moment)
    start = rule.bucket_start(moment, buckets)
    used = sum(b.used for b in buckets if b.starts_at == start)
    end = start + rule.length
    # A call whose moment lies before a first_use window may count in it all the same.
    opened = [*buckets, Bucket(start, 0)] if rule.policy is Policy.FIRST_USE else []
    held = sum(
        h.nanousd
        for h in holds
        if h.counts_between(start, end) or (opened and rule.bucket_start(h.at, opened) == start)
    )
    return QuotaWindow(limit, used, held, start, end, None)


def _rolling_window(
    limit: Limit, buckets: Sequence[Bucket], holds: Sequence[Hold], moment: datetime
) -> QuotaWindow:
    rule = limit.rule
    end = rule.bucket_start(moment) + rule.step
    first = end - rule.length
    inside = [bucket for bucket in buckets if first <= bucket.starts_at < end and bucket.used]
    held = [h for h in holds if h.counts_between(first, end) and h.nanousd]
    counting_since = [max(h.at, moment) if h.is_lease else h.at for h in held]
    oldest, newest = (min(inside), max(inside).starts_at) if inside else (None, None)
    newest = max([newest, *counting_since] if newest else counting_since, default=None)
    resets_at = rule.length + (rule.bucket_start(newest) if newest else moment)
    return QuotaWindow(
        limit,
        used=sum([used for _, used in inside]),
        held=sum(h.nanousd for h in held),
        starts_at=resets_at - rule.length,
        resets_at=resets_at,
        next_release=Release(oldest.starts_at + rule.length, oldest.used) if oldest else None,
    )


def _rolling_room(limit: Limit, buckets: Sequence[Bucket], holds: Sequence[Hold], end: datetime) -> int:
    """What the rolling window that ends with this step has room for, as `_rolling_window` says."""
    first = end - limit.rule.length
    used = sum([used for starts_at, used in buckets if first <= starts_at < end])
    return limit.nanousd - used - sum([h.nanousd for h in holds if h.counts_between(first, end)])


def room_for(limit: Limit, buckets: Sequence[Bucket], holds: Sequence[Hold], occurred_at: datetime) -> int:
    """How much usage that occurred at `occurred_at` fits; negative after an overrun.

    Usage that is reported late, or was reported ahead of the clock, also counts in every later rolling window
    that contains it, so the fullest of them decides. `fixed` and `first_use` windows do not overlap: there is
    one.
    """
    rule = limit.rule
    if rule.policy is not Policy.ROLLING:
        return window_at(limit, buckets, holds, occurred_at).room
    end = rule.bucket_start(occurred_at) + rule.step
    last_end = end - rule.step + rule.length
    # A window only grows where usage begins to count, so the fullest one begins to count some.
    later = [starts_at for starts_at, _ in buckets] + [h.at for h in holds]
    ends = {rule.bucket_start(start) + rule.step for start in later if end <= start < last_end}
    return min([_rolling_room(limit, buckets, holds, each) for each in (end, *ends)])


def fits_at(
    limit: Limit, buckets: Sequence[Bucket], holds: Sequence[Hold], amount: int, moment: datetime
) -> datetime | None:
    """The first moment, from `moment` on, at which `amount` fits if nothing more is used and no hold is
    closed before it lapses; None: never.

    Decided by `room_for`, as the call itself will be. Room comes when a hold lapses and when what was used or
    held leaves its window, and once there it stays.
    """
    if amount > limit.nanousd:
        return None
    rule = limit.rule

    def fits(at: datetime) -> bool:
        live = [hold for hold in holds if hold.ends_at > at]
        return room_for(limit, buckets, live, at) >= amount

    if fits(moment):
        return moment
    lapses = {hold.ends_at for hold in holds}
    starts = {b.starts_at for b in buckets} | {rule.bucket_start(h.at, buckets) for h in holds}
    # At the last of them nothing counts any more, so that one need not be asked.
    changes = sorted(at for at in lapses | {start + rule.length for start in starts} if at > moment)
    return changes[bisect_left(changes, True, hi=len(changes) - 1, key=fits)]


def first_use_buckets(rule: Rule, usage: Iterable[tuple[datetime, int]]) -> list[Bucket]:
    """The windows that this usage opens, each with its sum, had all of it been reported in time."""
    buckets: list[Bucket] = []
    for moment, nanousd in sorted(usage):
        if buckets and moment < buckets[-1].starts_at + rule.length:
            buckets[-1] = Bucket(buckets[-1].starts_at, buckets[-1].used + nanousd)
        else:
            buckets.append(Bucket(moment, nanousd))
    return buckets
