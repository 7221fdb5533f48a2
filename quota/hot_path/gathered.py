"""Many calls of many gateways in one transaction: a few round trips and one commit for all of them.

Only what is usual is done here: a Subscription Key with a working seat asks for a call that its windows have
room for; a call that its windows cover is settled. The answer `LEFT` leaves anything else to the road for one
call (`authorize`, `settle`), which writes nothing before, so that nothing is decided twice. Both roads decide
by the same functions (`hold_for`, `draw_of`, `worked_out`), so they give the same answers.

Nothing here waits for a lock: what another transaction has locked is answered `LOCKED` and can be asked
again, so a busy seat holds up nobody else's calls, and no two batches wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from django.db import transaction

from quota.allocation import split
from quota.hot_path.authorize import LAST_USED_RESOLUTION, Authorization, authorization_of
from quota.hot_path.charges import Charging, room_of, worked_out
from quota.hot_path.credentials import RECOGNISE, gateways_by_hash
from quota.hot_path.draws import Draw, Report, check_open, draw_of
from quota.hot_path.holds import AuthorizeRequest, NewHold, card_of, hash_of_request, hold_for
from quota.hot_path.sql import Columns, fetch_rows
from quota.hot_path.state import (
    CALL_STATE_COLUMNS,
    CallState,
    ReservationState,
    SeatUsage,
    call_state_of,
    check_genuine,
    take_usage,
)
from quota.models import Gateway, Reservation, UsageEvent
from quota.windows import Policy
from teams import keytext
from tokenplan.kit.errors import Refusal, Unavailable


class NotHere(Enum):
    """Why a batch has no answer: it is for the one-call road, or somebody else has locked what it needs."""

    LEFT = "left"
    LOCKED = "locked"


LEFT, LOCKED = NotHere.LEFT, NotHere.LOCKED


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, with the hash of the credential that it came with."""

    credential_hash: str
    request: AuthorizeRequest


@dataclass(frozen=True, slots=True)
class SettleAsk:
    """A report that closes its hold, with the hash of the credential that it came with."""

    credential_hash: str
    reservation_id: UUID
    report: Report


class _Conflict(Exception):
    """Another connection was first with one of the request ids: nothing of the batch is written."""


# A batch that takes so long is given up, and each of its calls goes the road for one call.
_LIMITS = """
SELECT set_config('lock_timeout', '1s', true), set_config('statement_timeout', '10s', true),
    set_config('idle_in_transaction_session_timeout', '60s', true)
"""
_LOCK_KEYS = """
SELECT k.key_id, s.id, coalesce(%(at)s, clock_timestamp())
FROM teams_subscriptionkey k
    JOIN teams_seatholding h ON h.membership_id = k.membership_id AND h.ended_at IS NULL
    JOIN teams_seat s ON s.id = h.seat_id
WHERE k.key_id = ANY(%(keys)s)
FOR NO KEY UPDATE OF k, s SKIP LOCKED
"""
_CALL_STATES = f"""
SELECT {CALL_STATE_COLUMNS.replace("s.prior_reservation_id", "NULL::uuid")}, s.key_public_id
FROM quota_call_states(%(keys)s, true, %(at)s, %(at)s) s
"""  # noqa: S608  (its parts are constants of ours)
_ASKED_BEFORE = """
SELECT asked.number
FROM unnest(%(keys)s::text[], %(request_ids)s::text[]) WITH ORDINALITY
        AS asked (public_id, request_id, number)
    JOIN teams_subscriptionkey k ON k.key_id = asked.public_id
    JOIN quota_reservation r ON r.team_id = k.team_id AND r.request_id = asked.request_id
"""


def authorize_gathered(asks: Sequence[Ask], *, at: datetime | None = None) -> list[Authorization | NotHere]:
    """The answers in the order of the asks; each hold that is answered is durable when this returns.

    `at` is the moment of all of them, UTC; None: the database's clock, after the locks.
    """
    answers: list[Authorization | NotHere] = [LEFT] * len(asks)
    usual = [number for number, ask in enumerate(asks) if _is_usual(ask.request)]
    if not usual:
        return answers
    try:
        with transaction.atomic():
            answers = _authorized(asks, usual, answers, at)
    except _Conflict:
        return [LEFT] * len(asks)
    return answers


def _is_usual(request: AuthorizeRequest) -> bool:
    """Whether it asks for a call with a genuine Subscription Key. What is forged is refused by the other
    road, which locks nothing for it either.
    """
    if request.hold_nanousd is not None or keytext.kind_of(request.key_text) is not keytext.SUBSCRIPTION_KEY:
        return False
    try:
        check_genuine(request.key_text)
    except (Refusal, Unavailable):
        return False
    return True


def _public_id(request: AuthorizeRequest) -> str:
    return keytext.key_id_of(request.key_text, keytext.SUBSCRIPTION_KEY) or ""


def _authorized(
    asks: Sequence[Ask], usual: Sequence[int], answers: list[Authorization | NotHere], at: datetime | None
) -> list[Authorization | NotHere]:
    keys = [_public_id(asks[number].request) for number in usual]
    _, locks = fetch_rows((_LIMITS, {}), (_LOCK_KEYS, {"keys": [*dict.fromkeys(keys)], "at": at}))
    locked = {public_id: seat_id for public_id, seat_id, _ in locks}
    if not locks:
        return [LOCKED if number in usual else LEFT for number in range(len(asks))]
    at = max(moment for _, _, moment in locks)
    request_ids = [asks[number].request.request_id for number in usual]
    rows, before, gateways = fetch_rows(
        (_CALL_STATES, {"keys": [*locked], "at": at}),
        (_ASKED_BEFORE, {"keys": keys, "request_ids": request_ids}),
        (RECOGNISE, {"hashes": [*{asks[number].credential_hash for number in usual}], "at": at}),
    )
    states = {row[-1]: call_state_of(row[:-1]) for row in rows}
    known = gateways_by_hash(gateways)
    seen = {(asks[usual[number - 1]].request.request_id, keys[number - 1]) for (number,) in before}
    usages = {state.seat_id: state.usage for state in states.values()}
    holds: dict[int, NewHold] = {}
    taken: set[tuple[int, str]] = set()
    for number, public_id in zip(usual, keys, strict=True):
        ask = asks[number]
        if public_id not in locked:
            answers[number] = LOCKED
            continue
        state, gateway = states.get(public_id), known.get(ask.credential_hash)
        if state is None or gateway is None or (ask.request.request_id, public_id) in seen:
            continue
        if state.seat_id != locked[public_id] or (state.team_id, ask.request.request_id) in taken:
            continue
        hold = _held(ask.request, gateway, replace(state, usage=usages[state.seat_id]), at)
        if hold is None:
            continue
        taken.add((state.team_id, ask.request.request_id))
        usages[state.seat_id] = usages[state.seat_id].with_hold(hold.reservation)
        holds[number] = hold
        answers[number] = authorization_of(hold, public_id, state.team_slug)
    if holds:
        _write_holds([hold.reservation for hold in holds.values()], at)
    return answers


def _held(request: AuthorizeRequest, gateway: Gateway, state: CallState, at: datetime) -> NewHold | None:
    """The hold that quota alone pays for; None where there is none, or where it would open a window."""
    opens = any(rule.policy is Policy.FIRST_USE for rule in state.usage.rules)
    if opens or not state.key_works:
        return None
    try:
        public_id = _public_id(request)
        hold = hold_for(
            request, hash_of_request(public_id, request, card_of(state)), gateway=gateway, state=state, at=at
        )
    except Refusal:
        return None
    return None if hold.credits_needed else hold


_RESERVATION = Columns(Reservation)
_INSERT = f"""
WITH used_keys AS (
    UPDATE teams_subscriptionkey SET last_used_at = %(at)s
    WHERE id = ANY(%(keys)s) AND (last_used_at IS NULL OR last_used_at < %(last_used_before)s)
)
INSERT INTO quota_reservation ({_RESERVATION.names})
SELECT {_RESERVATION.names} FROM json_populate_recordset(NULL::quota_reservation, %(rows)s::json)
ON CONFLICT (team_id, request_id) DO NOTHING
RETURNING id
"""  # noqa: S608


def _write_holds(holds: Sequence[Reservation], at: datetime) -> None:
    """Raises _Conflict unless all of them are new."""
    (written,) = fetch_rows(
        (
            _INSERT,
            {
                "at": at,
                "keys": [*{hold.key_id for hold in holds}],
                "last_used_before": at - LAST_USED_RESOLUTION,
                "rows": _RESERVATION.json(holds),
            },
        )
    )
    if len(written) < len(holds):
        raise _Conflict


_HOLD_FIELDS = [
    *("id", "gateway_id", "state", "expired", "created_at", "expires_at", "holds_until", "charges_at"),
    *("raised_at", "team_id", "membership_id", "key_id", "seat_id", "plan_id", "model", "agent", "tags"),
    *("left_quota_nanousd", "left_credits_nanousd", "rate_card_id"),
]
_LOCK_HOLDS = f"""
SELECT {", ".join(f"r.{name}" for name in _HOLD_FIELDS)}, coalesce(%(at)s, clock_timestamp())
FROM quota_reservation r JOIN teams_seat s ON s.id = r.seat_id
WHERE r.id = ANY(%(ids)s) AND r.state = 'held' AND r.model <> ''
FOR NO KEY UPDATE OF r, s SKIP LOCKED
"""  # noqa: S608
_OPEN_HOLDS = "SELECT id FROM quota_reservation WHERE id = ANY(%(ids)s) AND state = 'held' AND model <> ''"
_SEAT_USAGES = """
SELECT u.seat_id, (u.usage).* FROM quota_seat_usages(%(seats)s, %(moments)s, %(at)s) u
"""


def settle_gathered(asks: Sequence[SettleAsk], *, at: datetime | None = None) -> list[UsageEvent | NotHere]:
    """The events in the order of the asks; each that is answered is durable when this returns.

    `at` is the moment of all of them, UTC; None: the database's clock, after the locks.
    """
    with transaction.atomic():
        return _settled(asks, at)


def _settled(asks: Sequence[SettleAsk], at: datetime | None) -> list[UsageEvent | NotHere]:
    answers: list[UsageEvent | NotHere] = [LEFT] * len(asks)
    ids = [*{ask.reservation_id for ask in asks}]
    _, locks, open_holds = fetch_rows(
        (_LIMITS, {}), (_LOCK_HOLDS, {"ids": ids, "at": at}), (_OPEN_HOLDS, {"ids": ids})
    )
    rows = {row[0]: row for row in locks}
    elsewhere = {id for (id,) in open_holds} - rows.keys()
    if not rows:
        return [LOCKED if ask.reservation_id in elsewhere else LEFT for ask in asks]
    at = max(row[-1] for row in locks)
    seats: dict[int, datetime] = {}
    for row in locks:
        hold = dict(zip(_HOLD_FIELDS, row, strict=False))
        seats[hold["seat_id"]] = min(hold["created_at"], seats.get(hold["seat_id"], hold["created_at"]))
    of_seats, gateways = fetch_rows(
        (_SEAT_USAGES, {"seats": [*seats], "moments": [*seats.values()], "at": at}),
        (RECOGNISE, {"hashes": [*{ask.credential_hash for ask in asks}], "at": at}),
    )
    usages: dict[int, SeatUsage] = {seat_id: take_usage(row) for seat_id, *row in of_seats}
    known = gateways_by_hash(gateways)
    charged: list[Charging] = []
    for number, ask in enumerate(asks):
        gateway = known.get(ask.credential_hash)
        if gateway is None or ask.reservation_id not in rows:
            answers[number] = LOCKED if gateway and ask.reservation_id in elsewhere else LEFT
            continue
        hold = dict(zip(_HOLD_FIELDS, rows.pop(ask.reservation_id), strict=False))
        charging = _charged(_hold_state(hold, usages[hold["seat_id"]]), ask.report, gateway, at)
        if charging is None:
            continue
        usages[hold["seat_id"]] = charging.usage.without(ask.reservation_id)
        charged.append(charging)
        answers[number] = charging.event
    if charged:
        _write_charges(charged, at)
    return answers


def _hold_state(hold: Mapping[str, Any], usage: SeatUsage) -> ReservationState:
    """Of a call's hold: whether its key and seat still work matters to leases alone."""
    return ReservationState(
        **hold,
        key_works=True,
        seat_works=True,
        api_key_id=None,
        api_text_id=None,
        left_balance_nanousd=0,
        usage=usage,
    )


def _charged(locked: ReservationState, report: Report, gateway: Gateway, at: datetime) -> Charging | None:
    """The charge, if the windows cover all of it; None: it is not for here."""
    try:
        check_open(locked, at)
        draw = draw_of(locked, report, gateway=gateway, closes=True, at=at, received_at=at)
    except Refusal:
        return None
    return _covered(draw, locked.usage, at)


def _covered(draw: Draw, usage: SeatUsage, at: datetime) -> Charging | None:
    parts = split(draw.price.amount, room=draw.held.room(room_of(draw.call, usage, draw.held)), credits=0)
    if parts.uncovered:
        return None
    return worked_out(
        draw.call, draw.price, parts, seat_usage=usage, held=draw.held, at=at, becomes=draw.becomes
    )


_EVENT = Columns(UsageEvent)
_CHARGE = f"""
WITH drawn AS (
    UPDATE quota_reservation r SET
        left_quota_nanousd = r.left_quota_nanousd - d.drawn_quota,
        left_credits_nanousd = r.left_credits_nanousd - d.drawn_credits,
        state = 'settled', closed_at = %(at)s, expired = false
    FROM unnest(%(ids)s::uuid[], %(drawn_quota)s::bigint[], %(drawn_credits)s::bigint[])
        AS d (id, drawn_quota, drawn_credits)
    WHERE r.id = d.id
), summed AS (
    INSERT INTO quota_usagebucket (seat_id, rule, starts_at, used_nanousd)
    SELECT *
    FROM unnest(%(seats)s::bigint[], %(rules)s::text[], %(starts)s::timestamptz[], %(used)s::bigint[])
    ON CONFLICT (seat_id, rule, starts_at)
    DO UPDATE SET used_nanousd = quota_usagebucket.used_nanousd + EXCLUDED.used_nanousd
)
INSERT INTO quota_usageevent ({_EVENT.names})
SELECT {_EVENT.names} FROM json_populate_recordset(NULL::quota_usageevent, %(rows)s::json)
"""  # noqa: S608


def _write_charges(charged: Sequence[Charging], at: datetime) -> None:
    sums: dict[tuple[int | None, str, datetime], int] = {}
    for charging in charged:
        for rule, start in charging.starts.items():
            bucket = charging.event.seat_id, rule, start
            sums[bucket] = sums.get(bucket, 0) + charging.in_window
    fetch_rows(
        (
            _CHARGE,
            {
                "at": at,
                "ids": [charging.event.reservation_id for charging in charged],
                "drawn_quota": [charging.of_hold["drawn_quota"] for charging in charged],
                "drawn_credits": [charging.of_hold["drawn_credits_nanousd"] for charging in charged],
                "seats": [seat_id for seat_id, _, _ in sums],
                "rules": [rule for _, rule, _ in sums],
                "starts": [start for _, _, start in sums],
                "used": [*sums.values()],
                "rows": _EVENT.json([charging.event for charging in charged]),
            },
        )
    )
