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
from quota.hot_path.draws import CLOCKS_APART, MAX_AHEAD, Drawn, Report, digest_of, draw_from
from quota.hot_path.state import (
    key_of_handle,
    locked_call_state,
    locked_reservation_state,
    membership_of_key,
    public_id_of,
)
from quota.models import Gateway, Reservation, UsageEvent
from quota.pricing import charge
from teams.errors import KeyInvalid
from teams.models import SubscriptionKey
from tokenplan.kit.problems import UNAVAILABLE
from tokenplan.kit.transactions import broken_constraint

ONE_EVENT_PER_ID = "one_event_per_id"
MAX_LATE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a gateway reports of a call that a hold had allowed; `closes` the hold unless said otherwise."""

    reservation_id: UUID
    report: Report
    closes: bool = True


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """A call that was made without asking, or one that names the hold that had allowed it. `id` is the
    gateway's own; it counts once. The key is named by its text, or by its handle, and then has no text.
    """

    id: str
    key_text: str
    model: str
    usage: Mapping[str, int]
    occurred_at: datetime
    agent: str = ""
    reservation_id: UUID | None = None
    tags: tuple[str, ...] = ()
    key_handle: str = ""


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of a row: recorded, seen before, or refused (or failed, for a reason nobody foresaw).
    `ended`: the hold it names, if its key or seat has gone.
    """

    is_new: bool = False
    refusal: Exception | None = None
    ended: UUID | None = None


def settle_many(*, gateway: Gateway, settlements: Sequence[Settlement], at: datetime) -> list[RowResult]:
    """Draw each from its hold; results in the order given. All that is accepted is durable when this
    returns.
    """

    def settle(row: Settlement) -> RowResult:
        locked = locked_reservation_state(row.reservation_id, at=at)
        return _result_of(draw_from(locked, row.report, gateway=gateway, closes=row.closes, at=at))

    results = [_row(partial(settle, settlement)) for settlement in settlements]
    _flush()
    return results


def record_events(*, gateway: Gateway, events: Sequence[ReportedEvent], at: datetime) -> list[RowResult]:
    """Record each; results in the order given. All that is accepted is durable when this returns."""
    results = [_row(partial(_record, gateway, event, at)) for event in events]
    _flush()
    return results


def _result_of(drawn: Drawn) -> RowResult:
    ended = drawn.event.reservation_id if drawn.state == Reservation.State.ENDED else None
    return RowResult(is_new=drawn.is_new, ended=ended)


def _row(record: Callable[[], RowResult]) -> RowResult:
    """One row, in a transaction of its own. What is wrong with it is its result, and the batch goes on; only
    an outage, which is no row's fault, ends the batch.

    Rows do not wait for the disk one by one: `_flush` does, once, before the answer leaves.
    """
    try:
        return _committed(record)
    except UNAVAILABLE:
        raise
    except IntegrityError as error:
        if broken_constraint(error) != ONE_EVENT_PER_ID:
            return RowResult(refusal=error)
    except Exception as error:
        return RowResult(refusal=error)
    # Another connection was first with this id, under another key. It has committed, so now it is found.
    return _row(record)


def _committed(record: Callable[[], RowResult]) -> RowResult:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        return record()


def _flush() -> None:
    """Wait until every commit so far is on the disk: the log is written in order, so one such wait is enough.

    PostgreSQL waits only for a transaction that wrote something; an empty message in its log is something.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_logical_emit_message(true, 'tokenplan', '')")


def _record(gateway: Gateway, event: ReportedEvent, at: datetime) -> RowResult:
    """Raises KeyInvalid, ModelUnknown, InvalidUsage, MomentOutOfRange, EventIdReused; for an event that names
    its reservation also ReservationUnknown, AlreadySettled, AlreadyReleased.
    """
    if event.reservation_id:
        return _record_of_hold(gateway, event, event.reservation_id, at)
    return RowResult(is_new=_record_without_hold(gateway, event, at))


def _record_of_hold(gateway: Gateway, event: ReportedEvent, reservation_id: UUID, at: datetime) -> RowResult:
    """The call was asked for: its event is a draw from a lease; else it settles the hold, and is a duplicate
    if that is settled.

    The call was allowed, so it does not matter what has become of the key since.
    """
    membership_id = (
        key_of_handle(event.key_handle).membership_id
        if event.key_handle
        else membership_of_key(event.key_text)
    )
    locked = locked_reservation_state(reservation_id, at=at)
    if locked.membership_id != membership_id:
        detail = _("The reservation %(reservation)s is not of this key")
        raise ReservationUnknown(detail % {"reservation": reservation_id}, pointer="/reservation")
    report = Report(
        usage=event.usage,
        model=event.model,
        draw_id=event.id if locked.is_lease else "",
        external_id=event.id,
        occurred_at=event.occurred_at,
        agent=event.agent,
        tags=event.tags or None,
    )
    digest = digest_of(report) if locked.is_lease else _event_hash(event)
    if _seen_before(locked.team_id, event, digest, at):
        return RowResult()
    if locked.state == Reservation.State.SETTLED and not locked.is_lease:
        return RowResult()
    closes = not locked.is_lease
    return _result_of(draw_from(locked, report, gateway=gateway, closes=closes, at=at, digest=digest))


def _record_without_hold(gateway: Gateway, event: ReportedEvent, at: datetime) -> bool:
    """A key counts as it stood when the call was made: usage of before its revocation is still usage."""
    occurred_at = event.occurred_at.astimezone(UTC)
    state = locked_call_state(
        _key_at_the_call(event, occurred_at),
        key_text=None if event.key_handle else event.key_text,
        request_id=None,
        occurred_at=occurred_at,
        at=at,
    )
    digest = _event_hash(event)
    if _seen_before(state.team_id, event, digest, at):
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
        tags=event.tags,
        usage=event.usage,
        usage_hash=digest,
        occurred_at=occurred_at,
    )
    card = rate_card(state.rate_card_id) if state.rate_card_id else None
    price = charge(card, event.model, event.usage)
    record_charge(call=call, price=price, seat_usage=state.usage, held=NOTHING_HELD, at=at)
    return True


def _key_at_the_call(event: ReportedEvent, occurred_at: datetime) -> str:
    """The public id of the key that was used: the one with this text. A handle outlives rotations, so it
    stands for the newest key that the member had at the call. Raises KeyInvalid.
    """
    if not event.key_handle:
        return public_id_of(event.key_text)
    named = key_of_handle(event.key_handle)
    keys = SubscriptionKey.objects.filter(
        membership=named.membership_id, created_at__lte=occurred_at + CLOCKS_APART
    )
    newest = keys.order_by("-created_at", "-pk").first()
    return newest.key_id if newest else named.key_id


def _event_hash(event: ReportedEvent) -> str:
    key = event.key_handle or public_id_of(event.key_text)
    moment = event.occurred_at.astimezone(UTC).isoformat()
    named = event.reservation_id or ""
    return usage_hash(event.model, event.usage, key, moment, event.agent, named, *event.tags)


def _seen_before(team_id: int, event: ReportedEvent, digest: str, at: datetime) -> bool:
    """Whether this very event was recorded. Raises EventIdReused when its id was another's, MomentOutOfRange
    for a new one from too long ago or from the future.

    Asked after the key's lock: a second connection with the same event has waited for the first.
    """
    prior = UsageEvent.objects.filter(team=team_id, external_id=event.id).first()
    if prior is None:
        if not at - MAX_LATE <= event.occurred_at <= at + MAX_AHEAD:
            raise MomentOutOfRange(pointer="/occurred_at")
    elif prior.usage_hash != digest:
        detail = _("The event id %(id)r was used for another event")
        raise EventIdReused(detail % {"id": event.id}, pointer="/id")
    return prior is not None
