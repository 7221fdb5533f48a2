"""After a call: its hold is charged and closed, drawn from, or released.

`at` is the moment, UTC; None: the database's clock after the locks, so that servers with different clocks
agree.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from quota.errors import AlreadySettled
from quota.hot_path.credentials import check_recognised
from quota.hot_path.draws import Drawn, Report, draw_from
from quota.hot_path.lapses import reopen
from quota.hot_path.state import locked_reservation_state
from quota.models import Gateway, Reservation


@transaction.atomic
def settle(*, gateway: Gateway, reservation_id: UUID, report: Report, at: datetime | None = None) -> Drawn:
    """The last draw: charge what was used, at the prices of the moment of the authorize, and close the hold.

    Settling twice with the same report gives the same event. Usage beyond what was held is recorded all the
    same, and so is what comes after the hold's lifetime. Raises ReservationUnknown, AlreadySettled (with
    another report), AlreadyReleased, ReportedTooLate, MomentOutOfRange, InvalidUsage, InvalidValue,
    ModelUnknown, CredentialEnded.
    """
    locked = locked_reservation_state(reservation_id, at=at)
    check_recognised(gateway, locked.at)
    return draw_from(locked, report, gateway=gateway, closes=True, at=locked.at)


@transaction.atomic
def draw(*, gateway: Gateway, reservation_id: UUID, report: Report, at: datetime | None = None) -> Drawn:
    """Charge one call as a part of what is held, which shrinks by it; the hold stays open.

    The same draw twice is charged once. Raises ReservationUnknown, AlreadySettled, AlreadyReleased,
    ReportedTooLate, EventIdReused, MomentOutOfRange, InvalidUsage, InvalidValue, ModelUnknown,
    CredentialEnded.
    """
    locked = locked_reservation_state(reservation_id, at=at)
    check_recognised(gateway, locked.at)
    return draw_from(locked, report, gateway=gateway, closes=False, at=locked.at)


@transaction.atomic
def release(
    *, reservation_id: UUID, gateway: Gateway | None = None, at: datetime | None = None
) -> Reservation:
    """Let go of what is held, or of what draws have left of it; what was charged of it at its end is given
    back. Releasing twice is the same as once. `gateway` is whose request it is.

    Raises ReservationUnknown, AlreadySettled, CredentialEnded.
    """
    locked = locked_reservation_state(reservation_id, at=at)
    if gateway is not None:
        check_recognised(gateway, locked.at)
    if locked.state == Reservation.State.SETTLED:
        raise AlreadySettled(_("The reservation is settled and cannot be released"))
    reopen(locked, at=locked.at)
    reservation = Reservation.objects.get(team=locked.team_id, pk=reservation_id)
    if reservation.state == Reservation.State.HELD or reservation.expired:
        reservation.state, reservation.expired = Reservation.State.RELEASED, False
        reservation.closed_at = reservation.closed_at or locked.at
        reservation.save()
    return reservation
