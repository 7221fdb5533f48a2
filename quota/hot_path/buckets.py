"""A seat's usage summed by interval: the buckets of each window rule that the seat was ever entitled to.

The caller of what writes here holds the seat's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F

from quota.hot_path.state import SeatUsage
from quota.models import UsageBucket, UsageEvent
from quota.windows import Bucket, Policy, Rule, first_use_buckets


def sum_into_buckets(rule: Rule, usage: Sequence[tuple[datetime, int]]) -> list[Bucket]:
    """The buckets that this usage, all of a seat's from some bucket's start on, makes under a rule."""
    if rule.policy is Policy.FIRST_USE:
        return first_use_buckets(rule, usage)
    sums: dict[datetime, int] = {}
    for occurred_at, nanousd in usage:
        start = rule.bucket_start(occurred_at)
        sums[start] = sums.get(start, 0) + nanousd
    return [Bucket(start, used) for start, used in sorted(sums.items())]


def rebuild_buckets(*, seat_id: int, rule: Rule) -> None:
    """Write the seat's buckets of a rule anew from all of its events."""
    replace_buckets(seat_id, rule.key, sum_into_buckets(rule, _usage_of(seat_id)), since=None)


def moved_first_use_windows(
    seat_id: int | None, seat_usage: SeatUsage, occurred_at: datetime
) -> dict[str, list[Bucket]]:
    """All windows of those `first_use` rules, by `Rule.key`, in which usage at `occurred_at` moves some.

    A call that is reported late may open a window before windows that are open already.
    """
    moved = {}
    for rule in seat_usage.rules:
        of_rule = seat_usage.buckets.get(rule.key, [])
        if rule.policy is not Policy.FIRST_USE or rule.bucket_start(occurred_at, of_rule) != occurred_at:
            continue
        if seat_id and any(bucket.starts_at > occurred_at for bucket in of_rule):
            usage = [*_usage_of(seat_id, since=occurred_at), (occurred_at, 0)]
            earlier = [bucket for bucket in of_rule if bucket.starts_at < occurred_at]
            moved[rule.key] = earlier + sum_into_buckets(rule, usage)
    return moved


def replace_buckets(
    seat_id: int, rule_key: str, buckets: Sequence[Bucket], *, since: datetime | None
) -> None:
    """The seat's buckets of a rule that start at `since` or later (None: all of them) become these."""
    old = UsageBucket.objects.filter(seat_id=seat_id, rule=rule_key)
    if since:
        old = old.filter(starts_at__gte=since)
        buckets = [bucket for bucket in buckets if bucket.starts_at >= since]
    old.delete()
    UsageBucket.objects.bulk_create(
        UsageBucket(seat_id=seat_id, rule=rule_key, starts_at=bucket.starts_at, used_nanousd=bucket.used)
        for bucket in buckets
        if bucket.used
    )


def _usage_of(seat_id: int, since: datetime | None = None) -> list[tuple[datetime, int]]:
    """When and how many nano-dollars of the seat's windows each event used, overrun included."""
    events = UsageEvent.objects.filter(seat_id=seat_id)
    if since:
        events = events.filter(occurred_at__gte=since)
    in_window = F("from_quota_nanousd") + F("overrun_nanousd")
    return list(
        events.annotate(in_window=in_window).filter(in_window__gt=0).values_list("occurred_at", "in_window")
    )
