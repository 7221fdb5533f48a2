"""What the hot path reads: the database functions of migration 0003, as values.

Inside a transaction and with `lock`, the rows a decision depends on stay locked until it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from quota.windows import Bucket, Hold, Limit, QuotaWindow, Rule, room_for, window_at


@dataclass(frozen=True, slots=True)
class LiveHold:
    """A reservation that holds something now."""

    reservation: UUID
    hold: Hold
    agent: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class SeatFacts:
    """A seat's usage and holds, as far as a decision about a moment needs them."""

    rules: tuple[Rule, ...]
    buckets: dict[str, list[Bucket]]
    live: tuple[LiveHold, ...]

    @property
    def holds(self) -> list[Hold]:
        return [live.hold for live in self.live]

    def agents(self) -> set[str]:
        """The agents at work: those with a call under way. Calls that name no agent count as one."""
        return {live.agent for live in self.live}

    def without(self, reservation: UUID) -> SeatFacts:
        live = tuple(other for other in self.live if other.reservation != reservation)
        return SeatFacts(self.rules, self.buckets, live)

    def with_hold(self, hold: Hold) -> SeatFacts:
        """As if one more call were under way; for showing, so it has no name."""
        return SeatFacts(self.rules, self.buckets, (*self.live, LiveHold(UUID(int=0), hold, "", hold.at)))

    def with_usage(self, starts: dict[str, datetime], nanousd: int) -> SeatFacts:
        """As if `nanousd` more had been used in the buckets with these starts, by rule."""
        buckets = {key: list(of_rule) for key, of_rule in self.buckets.items()}
        for key, start in starts.items():
            buckets.setdefault(key, []).append(Bucket(start, nanousd))
        return SeatFacts(self.rules, buckets, self.live)

    def windows(self, limits: Sequence[Limit], moment: datetime) -> list[QuotaWindow]:
        """The windows around `moment`: what is shown, and what authorize decides by."""
        return [
            window_at(limit, self.buckets.get(limit.rule.key, ()), self.holds, moment) for limit in limits
        ]

    def room(self, limits: Sequence[Limit], occurred_at: datetime) -> int:
        """How much usage that occurred at `occurred_at` fits into every window."""
        return min(
            room_for(limit, self.buckets.get(limit.rule.key, ()), self.holds, occurred_at) for limit in limits
        )


NO_SEAT = SeatFacts((), {}, ())


@dataclass(frozen=True, slots=True)
class CallFacts:
    """A key, and the seat and plan it may use. `seat` and `plan` are both None when no seat works."""

    key: int
    salt: bytes
    root: str
    key_works: bool
    membership: int
    team: int
    team_slug: str
    card: int | None
    prior_reservation: UUID | None
    seat: int | None
    plan: int | None
    usage: SeatFacts


@dataclass(frozen=True, slots=True)
class SettleFacts:
    """A reservation, and the seat it holds on. `seat` and `plan` are both None when Credits alone pay."""

    state: str
    expired: bool
    created_at: datetime
    expires_at: datetime
    team: int
    membership: int
    key: int
    seat: int | None
    plan: int | None
    model: str
    agent: str
    from_quota: int
    from_credits: int
    card: int | None
    usage: SeatFacts


_CALL_COLUMNS = [field.name for field in fields(CallFacts) if field.name != "usage"]
_SETTLE_COLUMNS = [field.name for field in fields(SettleFacts) if field.name != "usage"]


def call_facts(
    key_id: str, *, gateway_id: int, request_id: str | None, occurred_at: datetime, at: datetime
) -> CallFacts | None:
    """The facts about the key with this id, as of `occurred_at`; locks key and seat. None: no such key."""
    row = _row(
        "SELECT * FROM quota_call_facts(%s, %s, %s, %s, %s, true)",
        [key_id, gateway_id, request_id, occurred_at, at],
    )
    if row is None:
        return None
    return CallFacts(**{name: row[name] for name in _CALL_COLUMNS}, usage=_seat_facts(row))


def settle_facts(reservation: UUID, *, gateway_id: int, at: datetime) -> SettleFacts | None:
    """Locks the gateway's reservation, its key and its seat. None: no such reservation."""
    row = _row("SELECT * FROM quota_settle_facts(%s, %s, %s)", [reservation, gateway_id, at])
    return (
        SettleFacts(**{name: row[name] for name in _SETTLE_COLUMNS}, usage=_seat_facts(row)) if row else None
    )


def seat_facts(seat_id: int, at: datetime) -> SeatFacts:
    """The same facts for showing: nothing is locked."""
    row = _row("SELECT * FROM quota_seat_facts(%s, %s, %s)", [seat_id, at, at])
    return _seat_facts(row) if row else NO_SEAT


# The same arguments lock and check in the INSERT of a hold, and read for everyone else.
USABLE_CREDITS = """quota_usable_credits(
    %(team)s, %(membership)s, %(seated)s, %(occurred_at)s, %(lots_at)s, %(at)s, %(excepted)s, %(lock)s
)"""


def usable_credits(
    *,
    team_id: int,
    membership_id: int,
    seated: bool,
    at: datetime,
    occurred_at: datetime | None = None,
    lots_at: datetime | None = None,
    excepted: UUID | None = None,
    lock: bool = False,
) -> int:
    """Nano-dollars of the Team's Credits that the member may use now, beyond what live reservations hold.

    `seated`: the call is the overflow of a working seat, so the overflow policies count. With `lock` the
    Team's lots are locked first, by primary key.
    """
    row = _row(
        f"SELECT {USABLE_CREDITS} AS usable",
        {
            "team": team_id,
            "membership": membership_id,
            "seated": seated,
            "occurred_at": occurred_at or at,
            "lots_at": lots_at or at,
            "at": at,
            "excepted": excepted,
            "lock": lock,
        },
    )
    usable: int = row["usable"] if row else 0
    return usable


def _row(sql: str, params: Sequence[Any] | dict[str, Any]) -> dict[str, Any] | None:
    # In a pipeline the BEGIN of a transaction travels with its first statement, not ahead of it. Leaving the
    # pipeline may fail too, when the connection has gone.
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        connection.connection.pipeline(),
    ):
        cursor.execute(sql, params)
        row = cursor.fetchone()
        return dict(zip((column[0] for column in cursor.description), row, strict=True)) if row else None


def _seat_facts(row: dict[str, Any]) -> SeatFacts:
    if row["rules"] is None:
        return NO_SEAT
    buckets: dict[str, list[Bucket]] = {}
    for key, start, used in zip(
        row["bucket_rules"] or (), row["bucket_starts"] or (), row["bucket_used"] or (), strict=True
    ):
        buckets.setdefault(key, []).append(Bucket(start, used))
    live = tuple(
        LiveHold(reservation, Hold(start, nanousd), agent, end)
        for reservation, start, nanousd, agent, end in zip(
            row["hold_ids"] or (),
            row["hold_starts"] or (),
            row["hold_nanousd"] or (),
            row["hold_agents"] or (),
            row["hold_ends"] or (),
            strict=True,
        )
    )
    return SeatFacts(tuple(Rule.from_key(key) for key in row["rules"]), buckets, live)
