"""A charge: who pays for usage, the event, the buckets, the ledger. All of it in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection

from quota.allocation import Draw, Split, draw, split
from quota.hot_path.accounts import Payer, account_columns, key_columns, usable_in_account
from quota.hot_path.buckets import first_use_starts
from quota.hot_path.catalog import limits_of
from quota.hot_path.hashes import hash_of
from quota.hot_path.lots import lots_of, write_draws
from quota.hot_path.sql import Columns
from quota.hot_path.state import ReservationState, SeatUsage
from quota.models import OwedUsage, UsageEvent
from quota.pricing import Charge
from quota.stored_windows import kept_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that was made: whose, on what, and when.

    `seat_id` and `plan_id` are both None when Credits alone could pay, or the API balance: then `api_key_id`
    names the API key, and `key_id` is its text's. `usage` is meter to quantity. `draw_id` is the gateway's id
    of a draw from the reservation, `external_id` that of an event. `corrects_id` is an event that was wrong.
    """

    gateway_id: int
    external_id: str | None
    reservation_id: UUID | None
    draw_id: str = ""
    team_id: int
    membership_id: int
    key_id: int | None
    api_key_id: int | None = None
    seat_id: int | None
    plan_id: int | None
    model: str
    agent: str
    tags: Sequence[str] = ()
    usage: Mapping[str, int]
    estimated: bool = False
    usage_hash: UUID
    occurred_at: datetime
    corrects_id: UUID | None = None

    @property
    def payer(self) -> Payer:
        return Payer(self.team_id, self.membership_id, self.api_key_id)


def call_of_hold(hold: ReservationState, **said: Any) -> Call:
    """A call that the hold allowed: whose it is says the hold, `said` are the other fields of the call."""
    of_hold: dict[str, Any] = {
        "external_id": None,
        "reservation_id": hold.id,
        "team_id": hold.team_id,
        "membership_id": hold.membership_id,
        "key_id": hold.api_text_id if hold.api_key_id else hold.key_id,
        "api_key_id": hold.api_key_id,
        "seat_id": hold.seat_id,
        "plan_id": hold.plan_id,
        "agent": hold.agent,
        "tags": hold.tags,
    }
    return Call(**of_hold | said)


@dataclass(frozen=True, slots=True)
class HeldParts:
    """What a live reservation holds for this call, in nano-dollars: it pays even if the room has gone since.
    `credits` is held in the account that pays: Credits, or the API balance.

    `lots_at` is the moment at which lots had to be alive to be drawn from; None: the moment of the charge, of
    which nothing is held. `alone`: nothing else pays, so what goes beyond it is overrun. Unless `promised`,
    it pays no more than there is room for: the call is of before the hold was raised.
    """

    quota: int = 0
    credits: int = 0
    lots_at: datetime | None = None
    alone: bool = False
    promised: bool = True

    def room(self, found: int) -> int:
        """How much quota may pay, where so much is found free beside the hold."""
        if self.promised:
            return self.quota if self.alone else max(found, self.quota)
        return min(found, self.quota) if self.alone else found

    def without(self, amount: int) -> HeldParts:
        """What is left of it after a draw of `amount`, quota first. Quota pays no less than that of any draw,
        so what is left is still covered.
        """
        quota = min(amount, self.quota)
        credits = min(amount - quota, self.credits)
        return replace(self, quota=self.quota - quota, credits=self.credits - credits)


NOTHING_HELD = HeldParts()

EVENT = Columns(UsageEvent)


class AfterDraw(StrEnum):
    """What becomes of the reservation: it stays as it is, or is closed."""

    STAYS = ""
    SETTLED = "settled"
    ENDED = "ended"


def usage_hash(model: str, usage: Mapping[str, int], *more: object) -> UUID:
    """A hash that repeats of a report share; another report under the same id has another."""
    return hash_of([model, sorted(usage.items()), *map(str, more)])


@dataclass(frozen=True, slots=True)
class Charging:
    """A charge that is worked out and not written: its event, the bucket to add to by `Rule.key`, what its
    reservation loses and becomes, the seat's usage once it counts, and what lots pay of it in a batch.
    """

    event: UsageEvent
    starts: Mapping[str, datetime]
    of_hold: Mapping[str, Any]
    usage: SeatUsage
    draws: Sequence[Draw] = ()


def record_charge(
    *,
    call: Call,
    price: Charge,
    seat_usage: SeatUsage,
    held: HeldParts,
    at: datetime,
    becomes: AfterDraw = AfterDraw.STAYS,
) -> UsageEvent:
    """Write the usage and who pays for it: quota, then Credits, then overrun. Used is used.

    The caller has locked the key and the seat, and read `seat_usage` after that. What is held for this call
    does not reduce the room that it is charged to, and shrinks by the charge. A correction, of which nothing
    is held, leaves alone what draws have left of the hold.
    """
    room = held.room(room_of(call, seat_usage, held))
    lots_at = held.lots_at or at
    parts = _who_pays(call, price.amount, room, held, _own(call, held), lots_at=lots_at, at=at)
    charging = worked_out(call, price, parts, seat_usage=seat_usage, held=held, at=at, becomes=becomes)
    event = charging.event
    _write(charging)
    if parts.uncovered and call.seat_id is None:
        OwedUsage.objects.create(
            account=call.payer.account,
            event=event,
            team_id=call.team_id,
            membership_id=call.membership_id,
            owed_nanousd=parts.uncovered,
            left_nanousd=parts.uncovered,
        )
    if parts.from_credits:
        write_draws([(event, draw(parts.from_credits, lots_of(call.payer, lots_at).left()))])
    return event


def room_of(call: Call, seat_usage: SeatUsage, held: HeldParts) -> int:
    """Nano-dollars of usage that the windows have room for at the call, beside what is held for it."""
    limits = limits_of(call.plan_id)
    return seat_usage.without(_own(call, held)).room(limits, call.occurred_at) if limits else 0


def _own(call: Call, held: HeldParts) -> UUID | None:
    """The reservation of what is held; None where nothing is."""
    return call.reservation_id if held.lots_at else None


def worked_out(
    call: Call,
    price: Charge,
    parts: Split,
    *,
    seat_usage: SeatUsage,
    held: HeldParts,
    at: datetime,
    becomes: AfterDraw,
) -> Charging:
    """The charge, paid in these parts."""
    limits, own = limits_of(call.plan_id), _own(call, held)
    before = seat_usage.windows(limits, call.occurred_at)
    starts = seat_usage.starts(call.occurred_at)
    in_window = parts.from_quota + parts.uncovered
    left = held.without(price.amount)
    stays = becomes is AfterDraw.STAYS
    usage = seat_usage.holding(own, left.quota) if stays else seat_usage.without(own)
    usage = usage.with_usage(starts, in_window)
    event = EVENT.new(
        gateway_id=call.gateway_id,
        external_id=call.external_id,
        usage_hash=call.usage_hash,
        reservation_id=call.reservation_id,
        draw_id=call.draw_id,
        team_id=call.team_id,
        membership_id=call.membership_id,
        **key_columns(call.key_id, call.api_key_id),
        seat_id=call.seat_id,
        plan_id=call.plan_id,
        model=price.model,
        modality=price.modality,
        agent=call.agent,
        tags=list(call.tags),
        usage=dict(call.usage),
        estimated=call.estimated,
        rate_card_id=price.card_id,
        unpriced=bool(price.unpriced),
        amount_nanousd=price.amount,
        from_quota_nanousd=parts.from_quota,
        **account_columns(call.payer, "from", parts.from_credits),
        overrun_nanousd=parts.uncovered,
        first_use_starts={
            rule_key: start.isoformat()
            for rule_key, start in first_use_starts(seat_usage, call.occurred_at).items()
            if in_window
        },
        windows=kept_of(before, usage.windows(limits, call.occurred_at)),
        occurred_at=call.occurred_at,
        recorded_at=at,
        corrects_id=call.corrects_id,
    )
    drawn = account_columns(call.payer, "drawn", held.credits - left.credits)
    of_hold = {**drawn, "drawn_quota": held.quota - left.quota, "becomes": becomes.value}
    return Charging(event, starts if in_window else {}, of_hold, usage)


def _who_pays(
    call: Call, amount: int, room: int, held: HeldParts, own: UUID | None, *, lots_at: datetime, at: datetime
) -> Split:
    """Split `amount`: `room` of the windows first, then the account's lots, which are locked for it. `own` is
    the reservation of what is held.
    """
    parts = split(amount, room=room, credits=0)
    if not parts.uncovered:
        return parts
    usable = usable_in_account(
        call.payer,
        seated=call.seat_id is not None,
        capped=False,
        at=at,
        occurred_at=call.occurred_at,
        lots_at=lots_at,
        except_id=own,
        lock=True,
    )
    if held.alone:
        usable = min(usable, held.credits)
    if held.credits > usable and held.promised:
        # What was held pays although the access was switched off since, but never beyond what the lots hold.
        left = lots_of(call.payer, lots_at).remaining()
        usable = max(usable, min(held.credits, left))
    return split(amount, room=room, credits=usable)


# One round trip for the event, its hold and its buckets.
_WRITE = """SELECT quota_write_charge(
    %(row)s::json, %(drawn_quota)s, %(drawn_credits_nanousd)s, %(drawn_balance_nanousd)s, %(becomes)s,
    %(rules)s::text[], %(starts)s::timestamptz[]
)"""


def _write(charging: Charging) -> None:
    starts = charging.starts
    buckets: dict[str, Any] = {"rules": list(starts.keys()), "starts": list(starts.values())}
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {"row": EVENT.json_of(charging.event), **buckets, **charging.of_hold})
