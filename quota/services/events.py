"""Usage in bulk, for gateways that flush: each row is a transaction of its own, so a bad one rejects itself
alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from quota.errors import EventIdReused, MomentOutOfRange
from quota.models import Gateway, UsageEvent
from quota.pricing import charge
from quota.selectors.catalog import rate_card
from quota.selectors.facts import call_facts
from quota.services.authorize import check_secret
from quota.services.charges import NO_PROMISE, Call, record_charge, usage_hash
from quota.services.settle import settle_in_transaction
from teams.errors import KeyInvalid
from teams.keytext import key_id_of
from tokenplan.kit.errors import Refusal

MAX_LATE = timedelta(days=7)
MAX_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Settlement:
    reservation: UUID
    usage: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Event:
    """A call that was made without asking. `id` is the gateway's own; it counts once."""

    id: str
    key: str
    model: str
    usage: Mapping[str, int]
    occurred_at: datetime
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row: recorded, seen before, or refused."""

    is_new: bool = False
    refusal: Refusal | None = None


def settle_many(*, gateway: Gateway, settlements: Sequence[Settlement], at: datetime) -> list[Outcome]:
    """Settle each; outcomes in the order given. All that is accepted is durable when this returns."""
    outcomes = []
    for settlement in settlements:
        with _Row() as row:
            _, row.is_new = settle_in_transaction(
                gateway=gateway, reservation=settlement.reservation, usage=settlement.usage, at=at
            )
        outcomes.append(row.outcome)
    _flush()
    return outcomes


def record_events(*, gateway: Gateway, events: Sequence[Event], at: datetime) -> list[Outcome]:
    """Record each; outcomes in the order given. All that is accepted is durable when this returns."""
    outcomes = []
    for event in events:
        with _Row() as row:
            row.is_new = _record(gateway, event, at)
        outcomes.append(row.outcome)
    _flush()
    return outcomes


class _Row:
    """One row's transaction. A refusal rolls it back and is its outcome; anything else ends the batch.

    Rows do not wait for the disk one by one: `_flush` does, once, before the answer leaves.
    """

    def __init__(self) -> None:
        self.is_new = False
        self.outcome = Outcome()
        self._atomic = transaction.atomic()

    def __enter__(self) -> _Row:
        self._atomic.__enter__()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self._atomic.__exit__(kind, error, trace)  # type: ignore[arg-type]
        if isinstance(error, Refusal):
            self.outcome = Outcome(refusal=error)
            return True
        self.outcome = Outcome(is_new=self.is_new)
        return False


def _flush() -> None:
    """Wait until every commit so far is on the disk: the log is written in order, so one such wait is enough.

    PostgreSQL waits only for a transaction that wrote something; an empty message in its log is something.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_logical_emit_message(true, 'tokenplan', '')")


def _record(gateway: Gateway, event: Event, at: datetime) -> bool:
    """Whether the event was new. Raises KeyInvalid, ModelUnknown, InvalidUsage, MomentOutOfRange,
    EventIdReused.

    A key counts as it stood when the call was made: usage of before its revocation is still usage.
    """
    key_id = key_id_of(event.key)
    if key_id is None:
        raise KeyInvalid
    event = replace(event, occurred_at=event.occurred_at.astimezone(UTC))
    digest = usage_hash(event.model, event.usage, key_id, event.occurred_at.isoformat(), event.agent)
    facts = call_facts(key_id, gateway_id=gateway.pk, request_id=None, occurred_at=event.occurred_at, at=at)
    if facts is None:
        raise KeyInvalid
    check_secret(facts, key_id, event.key)
    # After the key's lock: a second connection with the same event has waited for the first.
    prior = UsageEvent.objects.filter(gateway=gateway, external_id=event.id).first()
    if prior:
        if prior.usage_hash != digest:
            raise EventIdReused(f"The event id {event.id!r} was used for another event", pointer="/id")
        return False
    if not at - MAX_LATE <= event.occurred_at <= at + MAX_AHEAD:
        raise MomentOutOfRange(pointer="/occurred_at")
    if not facts.key_works:
        raise KeyInvalid
    record_charge(
        call=Call(
            gateway=gateway.pk,
            external_id=event.id,
            reservation=None,
            team=facts.team,
            membership=facts.membership,
            key=facts.key,
            seat=facts.seat,
            plan=facts.plan,
            model=event.model,
            agent=event.agent,
            usage=event.usage,
            occurred_at=event.occurred_at,
        ),
        digest=digest,
        price=charge(rate_card(facts.card) if facts.card else None, event.model, event.usage),
        facts=facts.usage,
        promise=NO_PROMISE,
        at=at,
    )
    return True
