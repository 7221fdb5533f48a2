"""Many draws from many holds in one transaction: a few round trips and one commit for all of them.

Only what is usual is done here: a draw from a hold on a seat, which is open or has lapsed, that the windows,
or what is held in them and in Credits, cover. The answer `LEFT` leaves anything else to the road for one
(`draw_from`), which writes nothing before, so that nothing is decided twice; and of one report all later
draws on that seat, so that they are charged in order. Both roads decide by the same functions (`draw_of`,
`worked_out`), so they give the same answers.

Nothing here waits for a lock: what another transaction has locked is answered `LOCKED`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from quota import servers
from quota.hot_path.batches import (
    LEFT,
    LOCKED,
    REPEATED,
    NotHere,
    covered,
    gateway_of,
    seats_of_holds,
    write_charges,
)
from quota.hot_path.charges import AfterDraw, Charging
from quota.hot_path.draws import Drawn, Report, Settlement, check_open, digest_of, draw_of
from quota.hot_path.lots import LotsOfMany
from quota.hot_path.sql import fetch_all
from quota.hot_path.state import ReservationState, SeatUsage, take_usage_of
from quota.models import Gateway, Reservation, UsageEvent
from tokenplan.kit.errors import Refusal


@dataclass(frozen=True, slots=True)
class SettleAsk:
    """A report that closes its hold, with the hash of the credential that it came with."""

    credential_hash: str
    reservation_id: UUID
    report: Report


def settle_gathered(asks: Sequence[SettleAsk], *, at: datetime | None = None) -> list[UsageEvent | NotHere]:
    """The events in the order of the asks; each that is answered is durable when this returns.

    `at` is the moment of all of them, UTC; None: the database's clock, after the locks.
    """
    settlements = [Settlement(ask.reservation_id, ask.report) for ask in asks]
    credentials: list[str | None] = [ask.credential_hash for ask in asks]
    with transaction.atomic():
        drawn = _drawn(settlements, credentials, None, at)
    return [one.event if isinstance(one, Drawn) else one for one in drawn]


def draw_gathered(
    settlements: Sequence[Settlement], *, gateway: Gateway, at: datetime | None
) -> list[Drawn | NotHere]:
    """What became of each draw of one report, in their order, written in the caller's transaction."""
    return _drawn(settlements, [None] * len(settlements), gateway, at)


# Fields of a state that are the same for all that is usual.
_OF_HOLDS = {"usage": None, "api_key_id": None, "api_text_id": None, "left_balance_nanousd": 0}
_HOLD_FIELDS = [field.name for field in fields(ReservationState) if field.name not in _OF_HOLDS]
_GATHER_HOLDS = f"""
SELECT number, is_open, by_gateway_id, drawn_hash, {", ".join(_HOLD_FIELDS)}, (usage).*
FROM quota_gather_holds(%(ids)s, %(draw_ids)s, %(credentials)s::text[], %(at)s)
"""  # noqa: S608  (its parts are constants of ours)


def _drawn(
    draws: Sequence[Settlement],
    credentials: Sequence[str | None],
    gateway: Gateway | None,
    at: datetime | None,
) -> list[Drawn | NotHere]:
    """`gateway`: who reports all of them; None: each is of whom its credential is."""
    if servers.are_many():
        return [LEFT] * len(draws)
    rows = fetch_all(
        _GATHER_HOLDS,
        {
            "ids": [draw.reservation_id for draw in draws],
            "draw_ids": [draw.report.draw_id for draw in draws],
            "credentials": credentials,
            "at": at,
        },
    )
    paid = {row["team_id"] for row in rows if row["left_credits_nanousd"]}
    batch = _Batch(gateway, in_order=gateway is not None, lots=LotsOfMany(paid))
    if batch.in_order:
        not_here = {draw.reservation_id for draw, row in zip(draws, rows, strict=True) if row["id"] is None}
        batch.seats = seats_of_holds(not_here)
    answers = [batch.next(draw, row) for draw, row in zip(draws, rows, strict=True)]
    if batch.charged:
        write_charges(batch.charged, rows[0]["at"])
    return answers


@dataclass
class _Batch:
    """The holds and seats as the draws before have left them. `in_order`: they are of one report, not of many
    requests that came at the same time. `seats`: of the holds of a report that are not here.
    """

    gateway: Gateway | None
    in_order: bool
    lots: LotsOfMany
    usages: dict[int, SeatUsage] = field(default_factory=dict)
    holds: dict[UUID, ReservationState] = field(default_factory=dict)
    closed: set[UUID] = field(default_factory=set)
    hashes: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    seats: Mapping[UUID, int | None] = field(default_factory=dict)
    left: set[int | None] = field(default_factory=set)
    charged: list[Charging] = field(default_factory=list)

    def next(self, draw: Settlement, row: dict[str, Any]) -> Drawn | NotHere:
        """What becomes of the next draw."""
        usage = take_usage_of(row)
        if row["id"] is None:
            self.left.add(self.seats.get(draw.reservation_id))
            return LOCKED if row["is_open"] else LEFT
        seat_id: int = row["seat_id"]
        usage = self.usages.setdefault(seat_id, usage)
        answer = LEFT if seat_id in self.left else self._drawn(draw, row, usage)
        if answer in (LEFT, LOCKED) and self.in_order:
            self.left.add(seat_id)
        return answer

    def _drawn(self, draw: Settlement, row: Mapping[str, Any], usage: SeatUsage) -> Drawn | NotHere:
        by = row["by_gateway_id"]
        gateway = self.gateway or (None if by is None else gateway_of(by))
        hold = self.holds.get(draw.reservation_id) or _hold_of(row, usage)
        # What a sweep has marked as over may be settled; where it was charged then, that is not for here.
        is_over = hold.expired and draw.closes and not hold.was_charged_at_its_end
        is_open = hold.state == Reservation.State.HELD or is_over
        if gateway is None or not is_open or hold.id in self.closed:
            return LEFT
        once = draw.reservation_id, draw.report.draw_id
        before = self.hashes.get(once, row["drawn_hash"])
        if before is not None:
            return REPEATED if before == digest_of(draw.report) and not draw.closes else LEFT
        hold = hold if hold.usage is usage else replace(hold, usage=usage)
        charging = self._charged(hold, draw, gateway, row["at"])
        if isinstance(charging, NotHere):
            return charging
        becomes = charging.of_hold["becomes"]
        self.usages[row["seat_id"]] = charging.usage
        if becomes == AfterDraw.STAYS:
            self.holds[hold.id] = _after(hold, charging)
        else:
            self.closed.add(hold.id)
        self.hashes[once] = charging.event.usage_hash
        self.charged.append(charging)
        return Drawn(charging.event, is_new=True, state=becomes or hold.state)

    def _charged(
        self, hold: ReservationState, draw: Settlement, gateway: Gateway, at: datetime
    ) -> Charging | NotHere:
        """The charge, if what is held or the windows cover all of it."""
        try:
            check_open(hold, at)
            found = draw_of(hold, draw.report, gateway=gateway, closes=draw.closes, at=at, received_at=at)
        except Refusal:
            return LEFT
        price, usage, becomes = found.price, hold.usage, found.becomes
        return covered(
            found.call, price, seat_usage=usage, held=found.held, at=at, becomes=becomes, lots=self.lots
        )


def _hold_of(row: Mapping[str, Any], usage: SeatUsage) -> ReservationState:
    return ReservationState(**{**_OF_HOLDS, **{name: row[name] for name in _HOLD_FIELDS}, "usage": usage})


def _after(hold: ReservationState, charging: Charging) -> ReservationState:
    """The hold as a draw that leaves it open has left it."""
    return replace(
        hold,
        left_quota_nanousd=hold.left_quota_nanousd - charging.of_hold["drawn_quota"],
        left_credits_nanousd=hold.left_credits_nanousd - charging.of_hold["drawn_credits_nanousd"],
    )
