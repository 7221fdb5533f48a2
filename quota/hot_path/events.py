"""Usage in bulk, for gateways that flush: each row is a transaction of its own, so a bad one rejects itself
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from quota.errors import EventIdReused, MomentOutOfRange, ReservationUnknown
from quota.hot_path.catalog import rate_card
from quota.hot_path.charges import NOTHING_HELD, Call, record_charge, usage_hash
from quota.hot_path.settle import Report, charge_reservation, settle_in_transaction
from quota.hot_path.state import (
    locked_call_state,
    locked_reservation_state,
    membership_of_key,
    public_id_of,
)
from quota.models import Gateway, Reservation, UsageEvent
from quota.pricing import charge
from teams.errors import KeyInvalid
from tokenplan.kit.problems import UNAVAILABLE
from tokenplan.kit.transactions import broken_constraint

ONE_EVENT_PER_ID = "one_event_per_gateway_and_id"
MAX_LATE = timedelta(days=7)
MAX_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a gateway reports of a call it had asked for. `usage` is meter to quantity."""

    reservation_id: UUID
    usage: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """A call that was made without asking, or whose hold was not settled: then it names its reservation. `id`
    is the gateway's own; it counts once.
    """

    id: str
    key_text: str
    model: str
    usage: Mapping[str, int]
    occurred_at: datetime
    agent: str = ""
    reservation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of a row: recorded, seen before, or refused (or failed, for a reason nobody foresaw)."""

    is_new: bool = False
    refusal: Exception | None = None


def settle_many(*, gateway: Gateway, settlements: Sequence[Settlement], at: datetime) -> list[RowResult]:
    """Settle each; results in the order given. All that is accepted is durable when this returns."""

    def settle(row: Settlement) -> bool:
        return settle_in_transaction(
            gateway=gateway, reservation_id=row.reservation_id, usage=row.usage, at=at
        )[1]

    results = [_row(partial(settle, settlement)) for settlement in settlements]
    _flush()
    return results


def record_events(*, gateway: Gateway, events: Sequence[ReportedEvent], at: datetime) -> list[RowResult]:
    """Record each; results in the order given. All that is accepted is durable when this returns."""
    results = [_row(partial(_record, gateway, event, at)) for event in events]
    _flush()
    return results


def _row(record: Callable[[], bool]) -> RowResult:
    """One row, in a transaction of its own. What is wrong with it is its result, and the batch goes on; only
    an outage, which is no row's fault, ends the batch.

    Rows do not wait for the disk one by one: `_flush` does, once, before the answer leaves.
    """
    try:
        return _committed(record)
    except UNAVAILABLE:
        raise
    except Exception as error:
        if not (isinstance(error, IntegrityError) and broken_constraint(error) == ONE_EVENT_PER_ID):
            return RowResult(refusal=error)
    # Another connection was first with this id, under another key. It has committed, so now it is found.
    return _row(record)


def _committed(record: Callable[[], bool]) -> RowResult:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        return RowResult(is_new=record())


def _flush() -> None:
    """Wait until every commit so far is on the disk: the log is written in order, so one such wait is enough.

    PostgreSQL waits only for a transaction that wrote something; an empty message in its log is something.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_logical_emit_message(true, 'tokenplan', '')")


def _record(gateway: Gateway, event: ReportedEvent, at: datetime) -> bool:
    """Whether the event was new. Raises KeyInvalid, ModelUnknown, InvalidUsage, MomentOutOfRange,
    EventIdReused; for an event that names its reservation also ReservationUnknown, AlreadyReleased.
    """
    if event.reservation_id:
        return _record_of_hold(gateway, event, event.reservation_id, at)
    return _record_without_hold(gateway, event, at)


def _record_of_hold(gateway: Gateway, event: ReportedEvent, reservation_id: UUID, at: datetime) -> bool:
    """The call was asked for: its event settles the hold, and is a duplicate if that is settled.

    The call was allowed, so it does not matter what has become of the key since.
    """
    membership_id = membership_of_key(event.key_text)
    locked = locked_reservation_state(reservation_id, gateway_id=gateway.pk, at=at)
    if locked.membership_id != membership_id:
        detail = _("The reservation %(reservation)s is not of this key")
        raise ReservationUnknown(detail % {"reservation": reservation_id}, pointer="/reservation")
    digest = _event_hash(event)
    if _seen_before(gateway, event, digest, at) or locked.state == Reservation.State.SETTLED:
        return False
    report = Report(event.model, event.usage, digest, event.id)
    charge_reservation(gateway=gateway, reservation_id=reservation_id, locked=locked, report=report, at=at)
    return True


def _record_without_hold(gateway: Gateway, event: ReportedEvent, at: datetime) -> bool:
    """A key counts as it stood when the call was made: usage of before its revocation is still usage."""
    occurred_at = event.occurred_at.astimezone(UTC)
    state = locked_call_state(
        public_id_of(event.key_text),
        key_text=event.key_text,
        gateway_id=gateway.pk,
        request_id=None,
        occurred_at=occurred_at,
        at=at,
    )
    digest = _event_hash(event)
    if _seen_before(gateway, event, digest, at):
        return False
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


def _event_hash(event: ReportedEvent) -> str:
    named = [event.reservation_id] if event.reservation_id else []
    moment = event.occurred_at.astimezone(UTC).isoformat()
    return usage_hash(event.model, event.usage, public_id_of(event.key_text), moment, event.agent, *named)


def _seen_before(gateway: Gateway, event: ReportedEvent, digest: str, at: datetime) -> bool:
    """Whether this very event was recorded. Raises EventIdReused when its id was another's, MomentOutOfRange
    for a new one from too long ago or from the future.

    Asked after the key's lock: a second connection with the same event has waited for the first.
    """
    prior = UsageEvent.objects.filter(gateway=gateway, external_id=event.id).first()
    if prior is None:
        if not at - MAX_LATE <= event.occurred_at <= at + MAX_AHEAD:
            raise MomentOutOfRange(pointer="/occurred_at")
        return False
    if prior.usage_hash != digest:
        detail = _("The event id %(id)r was used for another event")
        raise EventIdReused(detail % {"id": event.id}, pointer="/id")
    return True
