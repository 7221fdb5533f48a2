"""Many calls of many gateways in one transaction: a few round trips and one commit for all of them.

Only what is usual is done here: a Subscription Key with a working seat asks for a call, or a lease, that its
windows have room for, or the Team's Credits. The answer `LEFT` leaves anything else to the road for one call
(`authorize`), which writes nothing before, so that nothing is decided twice. Both roads decide by the same
function (`hold_for`), so they give the same answers. `gathered_draws` and `gathered_events` do the same after
calls.

Nothing here waits for a lock: what another transaction has locked is answered `LOCKED` and can be asked
again, so a busy seat holds up nobody else's calls, and no two batches wait for each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from django.db import transaction

from quota import servers
from quota.hot_path.accounts import Payer, usable_of_many
from quota.hot_path.authorize import Authorization, authorization_of
from quota.hot_path.batches import LEFT, LOCKED, NotHere, gateway_of, genuine_subscription_key
from quota.hot_path.holds import HOLD, AuthorizeRequest, NewHold, card_of, hash_of_request, hold_for
from quota.hot_path.sql import fetch_all
from quota.hot_path.state import (
    LAST_USED_RESOLUTION,
    CallState,
    SeatUsage,
    take_usage_of,
)
from quota.models import Gateway, Reservation
from quota.windows import Policy
from tokenplan.kit.errors import Refusal


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, with the hash of the credential that it came with."""

    credential_hash: str
    request: AuthorizeRequest


# Fields of a state that are the same for all that is usual.
_OF_KEYS = {"usage": None, "prior_reservation_id": None, "api_key_id": None}

# What decides of a gateway.
_OF_GATEWAYS = "max_lifetime_seconds", "flush_seconds", "charge_hold"


class _Conflict(Exception):
    """Another connection was first with one of the request ids: nothing of the batch is written."""


_KEY_FIELDS = [of_key.name for of_key in fields(CallState) if of_key.name not in _OF_KEYS]
_GATHER_CALLS = f"""
SELECT number, seated, asked_before, gateway_id, {", ".join(_OF_GATEWAYS)},
    {", ".join(_KEY_FIELDS)}, (usage).*
FROM quota_gather_calls(%(keys)s, %(request_ids)s, %(credentials)s, %(at)s)
"""  # noqa: S608  (its parts are constants of ours)


def authorize_gathered(asks: Sequence[Ask], *, at: datetime | None = None) -> list[Authorization | NotHere]:
    """The answers in the order of the asks; each hold that is answered is durable when this returns.

    `at` is the moment of all of them, UTC; None: the database's clock, after the locks.
    """
    named = ((number, genuine_subscription_key(ask.request.key_text)) for number, ask in enumerate(asks))
    # What is forged is refused by the other road, which locks nothing for it either.
    usual = {number: public_id for number, public_id in named if public_id}
    if not usual or servers.are_many():
        return [LEFT] * len(asks)
    try:
        with transaction.atomic():
            return _authorized(asks, usual, at)
    except _Conflict:
        return [LEFT] * len(asks)


def _authorized(
    asks: Sequence[Ask], usual: Mapping[int, str], at: datetime | None
) -> list[Authorization | NotHere]:
    """`usual`: by the number of each that has a genuine Subscription Key, the key's public id."""
    chosen = [asks[number] for number in usual]
    rows = fetch_all(
        _GATHER_CALLS,
        {
            "keys": [*usual.values()],
            "request_ids": [ask.request.request_id for ask in chosen],
            "credentials": [ask.credential_hash for ask in chosen],
            "at": at,
        },
    )
    calls = [
        _Call(number, public_id, ask.request, row, take_usage_of(row))
        for (number, public_id), ask, row in zip(usual.items(), chosen, rows, strict=True)
    ]
    batch = _decided(calls, _Credits())
    if payers := [hold.payer for hold in batch.holds if hold.credits_needed]:
        # First it was decided as if there were enough. Where there is not, that counted as held what is not.
        usable = usable_of_many([*dict.fromkeys(payers)], rows[0]["at"])
        credits = _Credits(usable)
        if any(credits.refuse(hold) for hold in batch.holds):
            batch = _decided(calls, _Credits(usable))
    if batch.holds:
        _write_holds([hold.reservation for hold in batch.holds], rows[0]["at"])
    return [batch.answers.get(number, LEFT) for number in range(len(asks))]


@dataclass(frozen=True, slots=True)
class _Call:
    """A usual call: its place in the batch, and what was read for it."""

    number: int
    key_public_id: str
    request: AuthorizeRequest
    row: Mapping[str, Any]
    usage: SeatUsage


@dataclass
class _Credits:
    """What members may use of their Teams' Credits, less what the batch holds. None of a member: locked by
    somebody else. None of all: not asked yet, and taken to be enough.
    """

    usable: Mapping[Payer, int | None] | None = None
    held: Counter[int] = field(default_factory=Counter)

    def refuse(self, hold: NewHold) -> NotHere | None:
        """Why the hold is not for here; None: it is held, if it needs anything.

        What the batch holds for others of the Team is taken from what this member may use, too, though their
        cap does not shrink by it. So it may refuse too much, never too little, and such a call goes alone.
        """
        if not hold.credits_needed or self.usable is None:
            return None
        usable = self.usable.get(hold.payer, 0)
        if usable is None:
            return LOCKED
        if hold.credits_needed > usable - self.held[hold.payer.team_id]:
            return LEFT
        self.held[hold.payer.team_id] += hold.credits_needed
        return None


@dataclass
class _Batch:
    """The seats as the calls before have left them, with the answers so far by their places."""

    credits: _Credits
    usages: dict[int, SeatUsage] = field(default_factory=dict)
    taken: set[tuple[int, str]] = field(default_factory=set)
    holds: list[NewHold] = field(default_factory=list)
    answers: dict[int, Authorization | NotHere] = field(default_factory=dict)

    def next(self, call: _Call) -> Authorization | NotHere:
        """The answer to the next call."""
        row = call.row
        if row["key_id"] is None:
            return LOCKED if row["seated"] else LEFT
        seat_id, once = row["seat_id"], (row["team_id"], call.request.request_id)
        usage = self.usages.setdefault(seat_id, call.usage)
        if row["gateway_id"] is None or row["asked_before"] or once in self.taken:
            return LEFT
        state = CallState(**{**_OF_KEYS, **{name: row[name] for name in _KEY_FIELDS}, "usage": usage})
        of_gateway = {name: row[name] for name in _OF_GATEWAYS}
        gateway = gateway_of(row["gateway_id"], **of_gateway)
        hold = _held(call.request, call.key_public_id, gateway, state, row["at"])
        if hold is None:
            return LEFT
        if refusal := self.credits.refuse(hold):
            return refusal
        self.taken.add(once)
        self.usages[seat_id] = usage.with_hold(hold.reservation)
        self.holds.append(hold)
        return authorization_of(hold, call.key_public_id, state.team_slug)


def _decided(calls: Sequence[_Call], credits: _Credits) -> _Batch:
    batch = _Batch(credits)
    for call in calls:
        batch.answers[call.number] = batch.next(call)
    return batch


def _held(
    request: AuthorizeRequest, public_id: str, gateway: Gateway, state: CallState, at: datetime
) -> NewHold | None:
    """The hold; None where there is none, or where it would open a window."""
    opens = any(rule.policy is Policy.FIRST_USE for rule in state.usage.rules)
    if opens or not state.key_works:
        return None
    request_hash = hash_of_request(public_id, request, card_of(state))
    try:
        return hold_for(request, request_hash, gateway=gateway, state=state, at=at)
    except Refusal:
        return None


_WRITE_HOLDS = "SELECT quota_write_holds(%(rows)s::json, %(keys)s, %(at)s, %(last_used_before)s) AS written"


def _write_holds(holds: Sequence[Reservation], at: datetime) -> None:
    """Raises _Conflict unless all of them are new."""
    (row,) = fetch_all(
        _WRITE_HOLDS,
        {
            "at": at,
            "keys": [*{hold.key_id for hold in holds}],
            "last_used_before": at - LAST_USED_RESOLUTION,
            "rows": HOLD.json(holds),
        },
    )
    if row["written"] < len(holds):
        raise _Conflict
