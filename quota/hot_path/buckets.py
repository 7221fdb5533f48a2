"""A seat's usage summed by interval: the buckets of each window rule that the seat was ever entitled to, as
far back as a window of the rule reaches that was open when the seat got it.

The caller of what writes here holds the seat's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F

from quota.hot_path.state import SeatUsage
from quota.models import KeptCalls, Reservation, UsageBucket, UsageEvent
from quota.windows import Bucket, Policy, Rule, first_use_buckets
from teams.models import Seat


def sum_into_buckets(rule: Rule, usage: Sequence[tuple[datetime, int]]) -> list[Bucket]:
    """The buckets that this usage, all of a seat's from some bucket's start on, makes under a rule."""
    if rule.policy is Policy.FIRST_USE:
        return first_use_buckets(rule, usage)
    sums: dict[datetime, int] = {}
    for occurred_at, nanousd in usage:
        start = rule.bucket_start(occurred_at)
        sums[start] = sums.get(start, 0) + nanousd
    return [Bucket(start, used) for start, used in sorted(sums.items())]


def build_buckets(*, seat: Seat, rule: Rule, begins_at: datetime) -> None:
    """Write the seat's buckets of a rule that is new to it and begins then, from its events of the last
    window's length, and open the windows that its calls under way are in.
    """
    since = rule.counts_from(begins_at)
    buckets = sum_into_buckets(rule, _usage_of(seat, since))
    if rule.policy is Policy.FIRST_USE:
        held = Reservation.objects.filter(
            team=seat.team_id, seat=seat, state=Reservation.State.HELD, created_at__gte=since
        )
        for moment in held.order_by("created_at").values_list("created_at", flat=True):
            buckets.append(Bucket(rule.bucket_start(moment, buckets), 0))
    UsageBucket.objects.filter(team=seat.team_id, seat=seat, rule=rule.key).delete()
    UsageBucket.objects.bulk_create(
        UsageBucket(team_id=seat.team_id, seat=seat, rule=rule.key, starts_at=start, used_nanousd=used)
        # Of those with one start only the first has usage.
        for start, used in {bucket.starts_at: bucket.used for bucket in reversed(buckets)}.items()
    )


def first_use_starts(usage: SeatUsage, moment: datetime) -> dict[str, datetime]:
    """When the `first_use` windows begin that a call at `moment` counts in, by `Rule.key`."""
    first_use = {rule.key for rule in usage.rules if rule.policy is Policy.FIRST_USE}
    return {key: start for key, start in usage.starts(moment).items() if key in first_use}


def open_first_use_windows(team_id: int, seat_id: int | None, usage: SeatUsage, moment: datetime) -> None:
    """A call under way has opened its windows, and they stay where they are whatever becomes of it. Without
    a seat there are none.
    """
    UsageBucket.objects.bulk_create(
        [
            UsageBucket(team_id=team_id, seat_id=seat_id, rule=rule_key, starts_at=start, used_nanousd=0)  # type: ignore[misc]
            for rule_key, start in first_use_starts(usage, moment).items()
        ],
        ignore_conflicts=True,
    )


def _usage_of(seat: Seat, since: datetime) -> list[tuple[datetime, int]]:
    """When and how many nano-dollars of the seat's windows each event used, overrun included."""
    in_window = F("from_quota_nanousd") + F("overrun_nanousd")
    kept = KeptCalls.objects.first()
    events = UsageEvent.objects.filter(team=seat.team_id, seat=seat, occurred_at__gte=since).annotate(
        in_window=in_window
    )
    if kept:
        # What corrects a charge that was dropped would take back what is not there.
        events = events.exclude(corrects_id__lt=kept.events_from)
    return list(events.exclude(in_window=0).values_list("occurred_at", "in_window"))
