"""After a call: its reservation becomes a charge, or is released."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from quota.errors import AlreadyReleased, AlreadySettled, ReservationUnknown
from quota.models import Gateway, Reservation, UsageEvent
from quota.pricing import charge
from quota.selectors.catalog import rate_card
from quota.selectors.facts import SettleFacts, settle_facts
from quota.services.charges import NO_PROMISE, Call, Promise, record_charge, usage_hash


def settle(*, gateway: Gateway, reservation: UUID, usage: Mapping[str, int], at: datetime) -> UsageEvent:
    """Charge what the call used, at the prices and in the windows of the moment it was authorized.

    Settling twice with the same usage gives the same event. Usage beyond what was held is recorded all the
    same. A reservation whose lifetime is over holds nothing, and is charged as usage that nothing was held
    for. Raises ReservationUnknown, AlreadySettled (with other usage), AlreadyReleased, InvalidUsage,
    ModelUnknown.
    """
    with transaction.atomic():
        return settle_in_transaction(gateway=gateway, reservation=reservation, usage=usage, at=at)[0]


def settle_in_transaction(
    *, gateway: Gateway, reservation: UUID, usage: Mapping[str, int], at: datetime
) -> tuple[UsageEvent, bool]:
    """As `settle`, inside the caller's transaction; also says whether the event is new."""
    facts = _lock(gateway, reservation, at)
    digest = usage_hash(facts.model, usage)
    if facts.state == Reservation.State.SETTLED:
        event = UsageEvent.objects.get(reservation_id=reservation)
        if event.usage_hash != digest:
            raise AlreadySettled("The reservation is settled with other usage", pointer="/usage")
        return event, False
    if facts.state == Reservation.State.RELEASED and not facts.expired:
        raise AlreadyReleased
    price = charge(rate_card(facts.card) if facts.card else None, facts.model, usage)
    live = facts.state == Reservation.State.HELD and at < facts.expires_at
    event = record_charge(
        call=Call(
            gateway=gateway.pk,
            external_id=None,
            reservation=reservation,
            team=facts.team,
            membership=facts.membership,
            key=facts.key,
            seat=facts.seat,
            plan=facts.plan,
            model=facts.model,
            agent=facts.agent,
            usage=usage,
            occurred_at=facts.created_at,
        ),
        digest=digest,
        price=price,
        facts=facts.usage,
        promise=Promise(facts.from_quota, facts.from_credits, facts.created_at) if live else NO_PROMISE,
        at=at,
    )
    return event, True


@transaction.atomic
def release(*, gateway: Gateway, reservation: UUID, at: datetime) -> Reservation:
    """Let go of what the call held: it was not made. Releasing twice is once. Raises ReservationUnknown,
    AlreadySettled.
    """
    facts = _lock(gateway, reservation, at)
    if facts.state == Reservation.State.SETTLED:
        raise AlreadySettled("The reservation is settled and cannot be released")
    row = Reservation.objects.get(pk=reservation)
    if row.state == Reservation.State.HELD or row.expired:
        row.state, row.expired = Reservation.State.RELEASED, False
        row.closed_at = row.closed_at or at
        row.save(update_fields=["state", "expired", "closed_at"])
    return row


def _lock(gateway: Gateway, reservation: UUID, at: datetime) -> SettleFacts:
    facts = settle_facts(reservation, gateway_id=gateway.pk, at=at)
    if facts is None:
        raise ReservationUnknown(f"This gateway has no reservation {reservation}")
    return facts
