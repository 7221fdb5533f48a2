"""What batches have in common: why one has no answer, what is usual, and how charges are written at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any
from uuid import UUID

from quota.allocation import Draw, Split, split
from quota.hot_path.charges import EVENT, AfterDraw, Call, Charging, HeldParts, room_of, worked_out
from quota.hot_path.lots import LotsOfMany, write_draws
from quota.hot_path.sql import fetch_all
from quota.hot_path.state import SeatUsage, check_genuine, id_and_kind_of
from quota.models import Gateway, Reservation
from quota.pricing import Charge
from teams import keytext
from tokenplan.kit.errors import Refusal, Unavailable


class NotHere(Enum):
    """Why a batch has no answer: it is for the road for one; or somebody else has locked what it needs; or it
    is recorded already.
    """

    LEFT = "left"
    LOCKED = "locked"
    REPEATED = "repeated"


LEFT, LOCKED, REPEATED = NotHere.LEFT, NotHere.LOCKED, NotHere.REPEATED


def genuine_subscription_key(key_text: str) -> str | None:
    """The public id of the Subscription Key that has just this text; None for any other text, of which the
    road for one says what is wrong. Nothing is locked.
    """
    try:
        public_id, kind = id_and_kind_of(key_text)
        if kind is not keytext.SUBSCRIPTION_KEY:
            return None
        check_genuine(key_text, public_id, kind)
    except (Refusal, Unavailable):
        return None
    return public_id


def seats_of_holds(ids: Collection[UUID]) -> dict[UUID, int | None]:
    """The seat of each hold that there is; None: it is on none. It never changes, and nothing is waited for.
    Where no hold is named, nothing is asked.
    """
    if not ids:
        return {}
    # With a range, since of a list of ids the planner does not know which partitions they are in.
    holds = Reservation.objects.filter(pk__in=ids, pk__range=(min(ids), max(ids)))
    return dict(holds.values_list("pk", "seat_id"))


@lru_cache(maxsize=256)
def gateway_of(id: int, **columns: Any) -> Gateway:
    """As much of it as decides, of a gateway that the database has recognised. Nobody changes it."""
    return Gateway(pk=id, **columns)


def covered(
    call: Call,
    price: Charge,
    *,
    seat_usage: SeatUsage,
    held: HeldParts,
    at: datetime,
    becomes: AfterDraw = AfterDraw.STAYS,
    lots: LotsOfMany | None = None,
) -> Charging | NotHere:
    """The charge, if what is held or the windows cover all of it, with `lots` also what is held in Credits.
    Otherwise somebody else has to pay, or the lots hold less than was promised: the road for one says who.
    """
    parts = split(price.amount, room=held.room(room_of(call, seat_usage, held)), credits=0)
    draws: list[Draw] = []
    if parts.uncovered:
        # What is held pays whatever the member may use by now, as long as the lots have it.
        if lots is None or not held.promised or held.lots_at is None or parts.uncovered > held.credits:
            return LEFT
        found = lots.draw(call.team_id, parts.uncovered, held.lots_at)
        if not found:
            return LOCKED if found is None else LEFT
        parts, draws = Split(parts.from_quota, parts.uncovered, 0), found
    charging = worked_out(call, price, parts, seat_usage=seat_usage, held=held, at=at, becomes=becomes)
    return replace(charging, draws=draws) if draws else charging


_WRITE_CHARGES = """
SELECT quota_write_charges(
    %(rows)s::json, %(at)s,
    %(ids)s, %(drawn_quota)s::bigint[], %(drawn_credits)s::bigint[], %(becomes)s::text[],
    %(teams)s::bigint[], %(seats)s::bigint[], %(rules)s::text[], %(starts)s::timestamptz[], %(used)s::bigint[]
)
"""


def write_charges(charged: Sequence[Charging], at: datetime) -> None:
    """Write the events, what they take from their holds and what becomes of those, the buckets, and what lots
    pay, in the transaction that has locked the holds, the seats and those lots.

    Raises IntegrityError where another connection was first with one of the ids. Events are written in the
    order of theirs, so that no two batches wait for each other.
    """
    sums: dict[tuple[int, int | None, str, datetime], int] = {}
    holds: dict[UUID, tuple[int, int, str]] = {}
    for charging in charged:
        for rule, start in charging.starts.items():
            bucket = charging.event.team_id, charging.event.seat_id, rule, start
            # The windows cover all of what is charged in a batch: there is no overrun.
            sums[bucket] = sums.get(bucket, 0) + charging.event.from_quota_nanousd
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
            "teams": [team_id for team_id, _, _, _ in sums],
            "seats": [seat_id for _, seat_id, _, _ in sums],
            "rules": [rule for _, _, rule, _ in sums],
            "starts": [start for _, _, _, start in sums],
            "used": [*sums.values()],
            "rows": EVENT.json(events),
        },
    )
    if any(charging.draws for charging in charged):
        write_draws((charging.event, charging.draws) for charging in charged)
