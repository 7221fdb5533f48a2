"""After a call: its reservation becomes a charge, or is released."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from quota.errors import AlreadyReleased, AlreadySettled
from quota.hot_path.catalog import rate_card
from quota.hot_path.charges import NOTHING_HELD, Call, HeldParts, record_charge, usage_hash
from quota.hot_path.state import ReservationState, locked_reservation_state
from quota.models import Gateway, Reservation, UsageEvent
from quota.pricing import charge


def settle(*, gateway: Gateway, reservation_id: UUID, usage: Mapping[str, int], at: datetime) -> UsageEvent:
    """Charge what the call used, at the prices and in the windows of the moment it was authorized.

    Settling twice with the same usage gives the same event. Usage beyond what was held is recorded all the
    same. A reservation whose lifetime is over holds nothing, and is charged as usage that nothing was held
    for. Raises ReservationUnknown, AlreadySettled (with other usage), AlreadyReleased, InvalidUsage.
    """
    with transaction.atomic():
        return settle_in_transaction(gateway=gateway, reservation_id=reservation_id, usage=usage, at=at)[0]


def settle_in_transaction(
    *, gateway: Gateway, reservation_id: UUID, usage: Mapping[str, int], at: datetime
) -> tuple[UsageEvent, bool]:
    """As `settle`, inside the caller's transaction; also says whether the event is new."""
    locked = locked_reservation_state(reservation_id, gateway_id=gateway.pk, at=at)
    if locked.state == Reservation.State.SETTLED:
        event = UsageEvent.objects.get(reservation_id=reservation_id)
        if event.usage != dict(usage):
            raise AlreadySettled(_("The reservation is settled with other usage"), pointer="/usage")
        return event, False
    report = Report(locked.model, usage, usage_hash(locked.model, usage))
    return charge_reservation(
        gateway=gateway, reservation_id=reservation_id, locked=locked, report=report, at=at
    ), True


@dataclass(frozen=True, slots=True)
class Report:
    """What is reported of a call that was asked for: the model that ran, its usage, and an event's own id."""

    model: str
    usage: Mapping[str, int]
    usage_hash: str
    external_id: str | None = None


def charge_reservation(
    *, gateway: Gateway, reservation_id: UUID, locked: ReservationState, report: Report, at: datetime
) -> UsageEvent:
    """Charge a reservation that is not settled, and settle it, in the transaction that has locked it.

    Raises AlreadyReleased, InvalidUsage, ModelUnknown.
    """
    if locked.state == Reservation.State.RELEASED and not locked.expired:
        raise AlreadyReleased
    held = NOTHING_HELD
    if locked.state == Reservation.State.HELD and at < locked.expires_at:
        held = HeldParts(locked.from_quota_nanousd, locked.from_credits_nanousd, locked.created_at)
    call = Call(
        gateway_id=gateway.pk,
        external_id=report.external_id,
        reservation_id=reservation_id,
        team_id=locked.team_id,
        membership_id=locked.membership_id,
        key_id=locked.key_id,
        seat_id=locked.seat_id,
        plan_id=locked.plan_id,
        model=report.model,
        agent=locked.agent,
        usage=report.usage,
        usage_hash=report.usage_hash,
        occurred_at=locked.created_at,
    )
    price = charge(rate_card(locked.rate_card_id), report.model, report.usage)
    return record_charge(call=call, price=price, seat_usage=locked.usage, held=held, at=at)


@transaction.atomic
def release(*, gateway: Gateway, reservation_id: UUID, at: datetime) -> Reservation:
    """The call was not made: nothing is held for it any more. Releasing twice is the same as once.

    Raises ReservationUnknown, AlreadySettled.
    """
    locked = locked_reservation_state(reservation_id, gateway_id=gateway.pk, at=at)
    if locked.state == Reservation.State.SETTLED:
        raise AlreadySettled(_("The reservation is settled and cannot be released"))
    reservation = Reservation.objects.get(pk=reservation_id)
    if reservation.state == Reservation.State.HELD or reservation.expired:
        reservation.state, reservation.expired = Reservation.State.RELEASED, False
        reservation.closed_at = reservation.closed_at or at
        reservation.save(update_fields=["state", "expired", "closed_at"])
    return reservation
