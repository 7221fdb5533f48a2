"""Many calls that were made without asking, recorded in one transaction: a few round trips for all of them.

Only what is usual is done here: a call with a Subscription Key of a member with a working seat, which the
windows cover, or which is recorded already just so. The answer `LEFT` leaves anything else to the road for
one (`record_event`), which writes nothing before; and with it all later calls on that seat, so that calls are
charged in their order. Both roads decide by the same functions (`charge`, `worked_out`), so they give the
same answers.

Keys and seats are locked in the order of locks, and waited for: many reports at once are mostly about the
same keys, and would else leave each other's calls to the road for one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from quota import servers
from quota.hot_path.batches import (
    LEFT,
    REPEATED,
    NotHere,
    covered,
    genuine_subscription_key,
    seats_of_holds,
    write_charges,
)
from quota.hot_path.catalog import rate_card
from quota.hot_path.charges import NOTHING_HELD, Call, Charging
from quota.hot_path.draws import MAX_AHEAD
from quota.hot_path.events import MAX_LATE, ReportedEvent, hash_of_event, made_by
from quota.hot_path.sql import fetch_all
from quota.hot_path.state import SeatUsage, take_usage_of
from quota.models import Gateway, UsageEvent
from quota.pricing import charge
from teams import keytext
from teams.models import SubscriptionKey
from tokenplan.kit.errors import Refusal

_GATHER_EVENTS = """
SELECT number, at, recorded_hash, recorded_of, key_id, key_works, membership_id, team_id, rate_card_id,
    seat_id, plan_id, (usage).*
FROM quota_gather_events(%(keys)s, %(moments)s, %(ids)s, %(late)s, %(ahead)s, %(at)s)
"""


def record_gathered(
    events: Sequence[ReportedEvent], *, gateway: Gateway, at: datetime | None
) -> list[UsageEvent | NotHere]:
    """What became of each, in their order, written in the caller's transaction. `at` is when they are
    reported, UTC; None: the database's clock after the locks.
    """
    keys = _keys_of(events)
    if not keys or servers.are_many():
        return [LEFT] * len(events)
    chosen = [events[number] for number in keys]
    rows = fetch_all(
        _GATHER_EVENTS,
        {
            "keys": [*keys.values()],
            "moments": [event.occurred_at for event in chosen],
            "ids": [event.id for event in chosen],
            "late": MAX_LATE,
            "ahead": MAX_AHEAD,
            "at": at,
        },
    )
    seats = seats_of_holds({event.reservation_id for event in events if event.reservation_id})
    batch, row_of = _Batch(gateway, rows[0]["at"], seats), dict(zip(keys, rows, strict=True))
    answers = [batch.next(event, row_of.get(number)) for number, event in enumerate(events)]
    if batch.charged:
        write_charges(batch.charged, batch.at)
    return answers


def _keys_of(events: Sequence[ReportedEvent]) -> dict[int, str]:
    """By the number of each event that may be usual: the public id of the key that its call was made with."""
    usual = {number: event for number, event in enumerate(events) if event.reservation_id is None}
    texts = _texts_of({event.key_handle for event in usual.values()})
    keys = {}
    for number, event in usual.items():
        key = _of_handle(event, texts) if event.key_handle else genuine_subscription_key(event.key_text)
        if key is not None:
            keys[number] = key
    return keys


def _texts_of(handles: set[str]) -> dict[str, list[tuple[datetime, str]]]:
    """Of each handle of a Subscription Key: when each text that its member ever had was made, and its public
    id, the oldest first. Where there are none, nothing is asked.
    """
    named = {public_id: handle for handle in handles if (public_id := keytext.key_id_of_handle(handle))}
    found: dict[str, list[tuple[datetime, str]]] = {}
    keys = SubscriptionKey.objects.filter(membership__keys__key_id__in=named).order_by("created_at", "pk")
    for of, made_at, text in keys.values_list("membership__keys__key_id", "created_at", "key_id"):
        found.setdefault(named[of], []).append((made_at, text))
    return found


def _of_handle(event: ReportedEvent, texts: Mapping[str, Sequence[tuple[datetime, str]]]) -> str | None:
    """The newest text at the call, as on the road for one; None where that is for the other road to say."""
    of_member = texts.get(event.key_handle, ())
    made = bisect_right(of_member, made_by(event.occurred_at), key=lambda text: text[0])
    return of_member[made - 1][1] if made else None


@dataclass
class _Batch:
    """The seats as the calls before have left them. `seats`: of the holds that events name."""

    gateway: Gateway
    at: datetime
    seats: Mapping[UUID, int | None]
    usages: dict[int, SeatUsage] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    left: set[int | None] = field(default_factory=set)
    charged: list[Charging] = field(default_factory=list)

    def next(self, event: ReportedEvent, row: dict[str, Any] | None) -> UsageEvent | NotHere:
        """What becomes of the next call; None: it is not for here."""
        answer = self._next(event, row) if row else LEFT
        if event.reservation_id is not None:
            self.left.add(self.seats.get(event.reservation_id))
        # Also of one that is left: whoever has the same id comes after it.
        self.ids.add(event.id)
        return answer

    def _next(self, event: ReportedEvent, row: dict[str, Any]) -> UsageEvent | NotHere:
        usage = take_usage_of(row)
        if row["seat_id"] is None:
            return LEFT
        seat_id: int = row["seat_id"]
        usage = self.usages.setdefault(seat_id, usage)
        answer = LEFT if seat_id in self.left else self._recorded(event, row, usage)
        if answer is LEFT:
            self.left.add(seat_id)
        return answer

    def _recorded(
        self, event: ReportedEvent, row: Mapping[str, Any], usage: SeatUsage
    ) -> UsageEvent | NotHere:
        digest = hash_of_event(event)
        if row["recorded_hash"] is not None:
            same = (row["recorded_hash"], row["recorded_of"]) == (digest, None)
            return REPEATED if same else LEFT
        if not row["key_works"] or event.id in self.ids:
            return LEFT
        call = Call(
            gateway_id=self.gateway.pk,
            external_id=event.id,
            reservation_id=None,
            team_id=row["team_id"],
            membership_id=row["membership_id"],
            key_id=row["key_id"],
            seat_id=row["seat_id"],
            plan_id=row["plan_id"],
            model=event.model,
            agent=event.agent,
            tags=event.tags,
            usage=event.usage,
            usage_hash=digest,
            occurred_at=event.occurred_at.astimezone(UTC),
        )
        charging = _covered(call, row["rate_card_id"], usage, self.at)
        if isinstance(charging, NotHere):
            return charging
        self.usages[row["seat_id"]] = charging.usage
        self.charged.append(charging)
        return charging.event


def _covered(call: Call, rate_card_id: int | None, usage: SeatUsage, at: datetime) -> Charging | NotHere:
    """The charge, if the windows cover all of it."""
    try:
        price = charge(rate_card(rate_card_id) if rate_card_id else None, call.model, call.usage)
    except Refusal:
        return LEFT
    return covered(call, price, seat_usage=usage, held=NOTHING_HELD, at=at)
