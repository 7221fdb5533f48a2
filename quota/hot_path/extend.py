"""While a hold is open: it is lengthened, or raised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from quota.allocation import split
from quota.errors import AlreadyReleased, AlreadySettled, ReservationLapsed
from quota.hot_path.accounts import usable_in_account
from quota.hot_path.catalog import plan_terms, rate_card
from quota.hot_path.credentials import check_recognised
from quota.hot_path.holds import check_lifetime, ends_of_hold
from quota.hot_path.refusals import no_room
from quota.hot_path.state import ReservationState, locked_reservation_state
from quota.models import Account, Gateway, Reservation
from quota.pricing import estimated
from teams.errors import KeyInvalid
from tokenplan.kit.errors import InvalidValue

# However often it is lengthened: among older ids nobody looks for open holds (quota/models/reservations.py).
LONGEST_LIFE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Extension:
    """What a gateway asks for. `lifetime_seconds` count from now. `estimate` (of a call) or `hold_nanousd`
    (of a lease) is what shall be held from now on: what draws have used so far is not part of it.
    """

    lifetime_seconds: int | None = None
    estimate: Mapping[str, int] | None = None
    hold_nanousd: int | None = None


@transaction.atomic
def extend(
    *,
    reservation_id: UUID,
    extension: Extension,
    gateway: Gateway | None = None,
    at: datetime | None = None,
) -> Reservation:
    """Lengthen the hold, raise it, or both; or refuse, and it stays as it was. It never gets shorter or
    lower. `gateway` is whose request it is; `at` the moment, UTC; None: the database's clock after the locks.

    Raises CredentialEnded, ReservationUnknown, ReservationLapsed, AlreadySettled, AlreadyReleased; KeyInvalid
    for a lease, or a raise, of a key or seat that has gone; InvalidValue, InvalidUsage, NoUsableResources,
    QuotaExhausted, LargerThanTheWindow.
    """
    locked = locked_reservation_state(reservation_id, at=at)
    at = locked.at
    if gateway is not None:
        check_recognised(gateway, at)
    _check_open(locked, at)
    nanousd = _wanted(locked, extension)
    if not (locked.key_works and locked.seat_works) and (locked.is_lease or nanousd is not None):
        raise KeyInvalid
    row = Reservation.objects.get(team=locked.team_id, pk=reservation_id)
    if extension.lifetime_seconds is not None:
        # The limits are those of the gateway that authorized the hold.
        authorized_by = Gateway.objects.get(pk=locked.gateway_id)
        lifetime = check_lifetime(authorized_by, extension.lifetime_seconds)
        if at + lifetime > row.created_at + LONGEST_LIFE:
            detail = _("A hold lives for %(days)s days at most; ask for a new one")
            raise InvalidValue(detail % {"days": LONGEST_LIFE.days}, pointer="/lifetime_seconds")
        row.expires_at = max(row.expires_at, at + lifetime)
        # Whether it is charged at its end was said at its authorize.
        charged = row.charges_at is not None
        ends = ends_of_hold(authorized_by, row.expires_at, is_lease=row.is_lease, is_charged=charged)
        for column, moment in ends.items():
            setattr(row, column, max(filter(None, (getattr(row, column), moment)), default=None))
    if nanousd is not None and nanousd > row.left_nanousd:
        _raise_to(row, locked, nanousd, at)
    row.save()
    return row


def _check_open(locked: ReservationState, at: datetime) -> None:
    if locked.state == Reservation.State.SETTLED:
        raise AlreadySettled(_("The reservation is settled"))
    if locked.state == Reservation.State.ENDED:
        raise KeyInvalid
    if locked.state == Reservation.State.RELEASED and not locked.expired:
        raise AlreadyReleased(_("The reservation is released"))
    if locked.expired or at >= locked.expires_at:
        raise ReservationLapsed


def _wanted(locked: ReservationState, extension: Extension) -> int | None:
    """Nano-dollars that shall be held; None: as many as now. Raises InvalidValue, InvalidUsage."""
    if extension.hold_nanousd is not None and not locked.is_lease:
        raise InvalidValue(_("A call is raised by its estimate"), pointer="/hold_nanousd")
    if extension.estimate is None:
        return extension.hold_nanousd
    if locked.is_lease:
        raise InvalidValue(_("A lease is raised by hold_nanousd"), pointer="/estimate")
    return estimated(rate_card(locked.rate_card_id), locked.model, extension.estimate)


def _raise_to(row: Reservation, locked: ReservationState, nanousd: int, at: datetime) -> None:
    """Hold so much instead of what is left. What is held already counts as room."""
    plan = plan_terms(locked.plan_id) if locked.plan_id else None
    usage = locked.usage.without(locked.id)
    moment = at if locked.is_lease else locked.created_at
    room = usage.room(plan.limits, moment) if plan else 0
    room = max(room, row.left_quota_nanousd)
    parts = split(nanousd, room=room, credits=0)
    if locked.is_lease:
        # Draws may still come of before: what is added now is not promised to them.
        row.raised_at = at
    if parts.uncovered:
        usable = usable_in_account(
            locked.payer,
            seated=plan is not None,
            at=at,
            occurred_at=moment,
            lots_at=locked.created_at,
            except_id=locked.id,
            lock=True,
        )
        usable = max(usable, locked.left_in_account_nanousd)
        parts = split(nanousd, room=room, credits=usable)
        if parts.uncovered:
            raise no_room(usage, plan, nanousd, usable=usable, account=locked.payer.account, at=at)
    more = parts.from_credits - locked.left_in_account_nanousd
    row.from_quota_nanousd += parts.from_quota - row.left_quota_nanousd
    row.left_quota_nanousd = parts.from_quota
    if locked.payer.account is Account.BALANCE:
        row.from_balance_nanousd += more
        row.left_balance_nanousd = parts.from_credits
    else:
        row.from_credits_nanousd += more
        row.left_credits_nanousd = parts.from_credits
    row.estimate_nanousd = row.from_quota_nanousd + row.from_credits_nanousd + row.from_balance_nanousd
