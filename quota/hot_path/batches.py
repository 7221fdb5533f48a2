"""What batches have in common: why one has no answer, and how all that it charges is written at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from uuid import UUID

from quota.hot_path.charges import Charging
from quota.hot_path.sql import Columns, fetch_all
from quota.models import UsageEvent


class NotHere(Enum):
    """Why a batch has no answer: it is for the road for one; or somebody else has locked what it needs; or it
    is recorded already.
    """

    LEFT = "left"
    LOCKED = "locked"
    REPEATED = "repeated"


LEFT, LOCKED, REPEATED = NotHere.LEFT, NotHere.LOCKED, NotHere.REPEATED

_EVENT = Columns(UsageEvent)
_WRITE_CHARGES = """
SELECT quota_write_charges(
    %(rows)s::json, %(at)s,
    %(ids)s, %(drawn_quota)s::bigint[], %(drawn_credits)s::bigint[], %(becomes)s::text[],
    %(seats)s::bigint[], %(rules)s::text[], %(starts)s::timestamptz[], %(used)s::bigint[]
)
"""


def write_charges(charged: Sequence[Charging], at: datetime) -> None:
    """Write the events, what they take from their holds and what becomes of those, and the buckets, in the
    transaction that has locked the holds and the seats.

    Raises IntegrityError where another connection was first with one of the ids. Events are written in the
    order of theirs, so that no two batches wait for each other.
    """
    sums: dict[tuple[int | None, str, datetime], int] = {}
    holds: dict[UUID, tuple[int, int, str]] = {}
    for charging in charged:
        for rule, start in charging.starts.items():
            bucket = charging.event.seat_id, rule, start
            sums[bucket] = sums.get(bucket, 0) + charging.in_window
        if (id := charging.event.reservation_id) is not None:
            of_hold, (quota, credits, _) = charging.of_hold, holds.get(id, (0, 0, ""))
            drawn = quota + of_hold["drawn_quota"], credits + of_hold["drawn_credits_nanousd"]
            holds[id] = *drawn, of_hold["becomes"]
    events = sorted((charging.event for charging in charged), key=lambda event: event.external_id or "")
    fetch_all(
        _WRITE_CHARGES,
        {
            "at": at,
            "ids": [*holds],
            "drawn_quota": [quota for quota, _, _ in holds.values()],
            "drawn_credits": [credits for _, credits, _ in holds.values()],
            "becomes": [becomes for _, _, becomes in holds.values()],
            "seats": [seat_id for seat_id, _, _ in sums],
            "rules": [rule for _, rule, _ in sums],
            "starts": [start for _, _, start in sums],
            "used": [*sums.values()],
            "rows": _EVENT.json(events),
        },
    )
