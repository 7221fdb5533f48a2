"""Usage in bulk, for gateways that flush: each row is a transaction of its own, so a bad one rejects itself
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _

from quota.errors import EventIdReused, MomentOutOfRange
from quota.hot_path.catalog import rate_card
from quota.hot_path.charges import NOTHING_HELD, Call, record_charge, usage_hash
from quota.hot_path.settle import settle_in_transaction
from quota.hot_path.state import locked_call_state, public_id_of
from quota.models import Gateway, UsageEvent
from quota.pricing import charge
from teams.errors import KeyInvalid
from tokenplan.kit.errors import Refusal

Row = TypeVar("Row")
MAX_LATE = timedelta(days=7)
MAX_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a gateway reports of a call it had asked for. `usage` is meter to quantity."""

    reservation_id: UUID
    usage: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """A call that was made without asking. `id` is the gateway's own; it counts once."""

    id: str
    key_text: str
    model: str
    usage: Mapping[str, int]
    occurred_at: datetime
    agent: str = ""


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of a row: recorded, seen before, or refused."""

    is_new: bool = False
    refusal: Refusal | None = None


def settle_many(*, gateway: Gateway, settlements: Sequence[Settlement], at: datetime) -> list[RowResult]:
    """Settle each; results in the order given. All that is accepted is durable when this returns."""

    def settle(row: Settlement) -> bool:
        _, is_new = settle_in_transaction(
            gateway=gateway, reservation_id=row.reservation_id, usage=row.usage, at=at
        )
        return is_new

    return _each_by_itself(settlements, settle)


def record_events(*, gateway: Gateway, events: Sequence[ReportedEvent], at: datetime) -> list[RowResult]:
    """Record each; results in the order given. All that is accepted is durable when this returns."""
    return _each_by_itself(events, lambda event: _record(gateway, event, at))


def _each_by_itself(rows: Sequence[Row], record: Callable[[Row], bool]) -> list[RowResult]:
    """`record` in a transaction for each row, which says whether it is new. A refusal rolls that row back and
    is its result; anything else ends the batch.

    Rows do not wait for the disk one by one: `_flush` does, once, before the answer leaves.
    """
    results = []
    for row in rows:
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL synchronous_commit = off")
                is_new = record(row)
        except Refusal as refusal:
            results.append(RowResult(refusal=refusal))
        else:
            results.append(RowResult(is_new=is_new))
    _flush()
    return results


def _flush() -> None:
    """Wait until every commit so far is on the disk: the log is written in order, so one such wait is enough.

    PostgreSQL waits only for a transaction that wrote something; an empty message in its log is something.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_logical_emit_message(true, 'tokenplan', '')")


def _record(gateway: Gateway, event: ReportedEvent, at: datetime) -> bool:
    """Whether the event was new. Raises KeyInvalid, ModelUnknown, InvalidUsage, MomentOutOfRange,
    EventIdReused.

    A key counts as it stood when the call was made: usage of before its revocation is still usage.
    """
    occurred_at = event.occurred_at.astimezone(UTC)
    key_public_id = public_id_of(event.key_text)
    digest = usage_hash(event.model, event.usage, key_public_id, occurred_at.isoformat(), event.agent)
    state = locked_call_state(
        key_public_id,
        key_text=event.key_text,
        gateway_id=gateway.pk,
        request_id=None,
        occurred_at=occurred_at,
        at=at,
    )
    # After the key's lock: a second connection with the same event has waited for the first.
    prior = UsageEvent.objects.filter(gateway=gateway, external_id=event.id).first()
    if prior:
        if prior.usage_hash != digest:
            raise EventIdReused(
                _("The event id %(id)r was used for another event") % {"id": event.id}, pointer="/id"
            )
        return False
    if not at - MAX_LATE <= occurred_at <= at + MAX_AHEAD:
        raise MomentOutOfRange(pointer="/occurred_at")
    if not state.key_works:
        raise KeyInvalid
    call = Call(
        gateway_id=gateway.pk,
        external_id=event.id,
        reservation_id=None,
        team_id=state.team_id,
        membership_id=state.membership_id,
        key_id=state.key_id,
        seat_id=state.seat_id,
        plan_id=state.plan_id,
        model=event.model,
        agent=event.agent,
        usage=event.usage,
        usage_hash=digest,
        occurred_at=occurred_at,
    )
    card = rate_card(state.rate_card_id) if state.rate_card_id else None
    price = charge(card, event.model, event.usage)
    record_charge(call=call, price=price, seat_usage=state.usage, held=NOTHING_HELD, at=at)
    return True
