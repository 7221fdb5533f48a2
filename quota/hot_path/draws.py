"""Usage that is drawn from a hold: one call's all of it, or one part of a lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext as _

from quota.errors import (
    AlreadyReleased,
    AlreadySettled,
    EventIdReused,
    MomentOutOfRange,
    ReportedTooLate,
)
from quota.hot_path.catalog import rate_card
from quota.hot_path.charges import AfterDraw, Call, HeldParts, call_of_hold, record_charge, usage_hash
from quota.hot_path.lapses import charge_at_end, reopen
from quota.hot_path.state import ReservationState, locked_reservation_state
from quota.models import Gateway, KeptCalls, Reservation, UsageEvent
from quota.models.reservations import LAPSED
from quota.pricing import Charge, charge
from tokenplan.kit.errors import InvalidValue

MAX_AHEAD = timedelta(minutes=5)
# A gateway whose clock is so much behind ours is believed: its draw counts at the authorize.
CLOCKS_APART = timedelta(seconds=5)
# How long after its end a hold may still be drawn from or settled.
TAKEN_FOR = timedelta(days=60)
_BEFORE_THE_END = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a gateway reports of a call that was allowed by a hold. `usage` is meter to quantity.

    `model` is what really ran, an alias or empty for the authorized one; `draw_id` the gateway's own id of
    the draw, unique within the hold, and empty where it settles the hold without one; `external_id` is that
    of an event. `occurred_at`, `agent` and `tags` say otherwise than the hold does; a call's moment is that
    of its authorize.
    """

    usage: Mapping[str, int]
    model: str = ""
    estimated: bool = False
    draw_id: str = ""
    external_id: str | None = None
    occurred_at: datetime | None = None
    agent: str = ""
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a gateway reports of a call that a hold had allowed; `closes` the hold unless said otherwise."""

    reservation_id: UUID
    report: Report
    closes: bool = True


@dataclass(frozen=True, slots=True)
class Drawn:
    """A draw: its event, whether it was recorded just now, and the state of the hold after it, which is
    "lapsed" once a sweep has marked it.
    """

    event: UsageEvent
    is_new: bool
    state: str


@dataclass(frozen=True, slots=True)
class Draw:
    """A draw that is not charged yet: its call and price, what the hold pays, and what becomes of that."""

    call: Call
    price: Charge
    held: HeldParts
    becomes: AfterDraw


def draw_from(
    locked: ReservationState,
    report: Report,
    *,
    gateway: Gateway,
    closes: bool,
    at: datetime,
    replayed_from: datetime | None = None,
) -> Drawn:
    """Charge the usage to the hold, in the transaction that has locked it; `closes` also settles it. What an
    operator replays, which came at `replayed_from`, is recorded though the hold is closed, or long over.

    The same draw twice is charged once, and where the second is said to be the last one, it closes the hold.
    Usage beyond what is held is recorded all the same. A hold whose lifetime is over, or a lease that is not
    flushed in time, holds nothing; one that was charged at its end gives that back first, and what a draw
    leaves of it is charged again. A lease whose key or seat has gone pays what it holds for one more draw,
    and is ended: everything beyond is overrun.

    Raises AlreadySettled, AlreadyReleased, ReportedTooLate, EventIdReused, MomentOutOfRange, ModelUnknown,
    InvalidUsage, and InvalidValue for a draw from a lease that names no model.
    """
    if prior := _prior(locked, report):
        _check_repeat(prior, report, _model(locked, report), digest_of(report))
        if closes and locked.state == Reservation.State.HELD:
            settled = {"state": Reservation.State.SETTLED, "closed_at": at}
            Reservation.objects.filter(team=locked.team_id, pk=locked.id).update(**settled)
            return Drawn(prior, is_new=False, state=Reservation.State.SETTLED)
        return Drawn(prior, is_new=False, state=_state(locked))
    if replayed_from is None:
        check_open(locked, at)
    elif KeptCalls.objects.filter(events_from__gt=locked.id).exists():
        raise ReportedTooLate  # whether it was drawn is no longer known
    locked, charged = reopen(locked, at=at)
    corrects_id = charged.pk if charged and closes else None
    draw = draw_of(
        locked,
        report,
        gateway=gateway,
        closes=closes,
        at=at,
        received_at=replayed_from or at,
        corrects_id=corrects_id,
    )
    event = record_charge(
        call=draw.call,
        price=draw.price,
        seat_usage=locked.usage,
        held=draw.held,
        at=at,
        becomes=draw.becomes,
    )
    if charged and draw.becomes is AfterDraw.STAYS:
        charge_at_end(locked_reservation_state(locked.id, at=at), at=at, instead_of=charged)
        return Drawn(event, is_new=True, state=LAPSED)
    return Drawn(event, is_new=True, state=draw.becomes or _state(locked))


def draw_of(
    locked: ReservationState,
    report: Report,
    *,
    gateway: Gateway,
    closes: bool,
    at: datetime,
    received_at: datetime,
    corrects_id: UUID | None = None,
) -> Draw:
    """The draw that a report makes from an open hold, not yet charged. What names no moment counts when it
    was received.

    Raises MomentOutOfRange, ModelUnknown, InvalidUsage, and InvalidValue for a draw from a lease that names
    no model.
    """
    model = _model(locked, report)
    if not model:
        raise InvalidValue(_("A draw from a lease names the model that ran"), pointer="/model")
    occurred_at = _moment(locked, report, received_at)
    held, becomes = _held(locked, occurred_at, closes=closes, at=at)
    call = call_of_hold(
        locked,
        gateway_id=gateway.pk,
        external_id=report.external_id,
        draw_id=report.draw_id,
        model=model,
        agent=report.agent or locked.agent,
        tags=locked.tags if report.tags is None else report.tags,
        usage=report.usage,
        estimated=report.estimated,
        usage_hash=digest_of(report),
        occurred_at=occurred_at,
        corrects_id=corrects_id,
    )
    price = charge(rate_card(locked.rate_card_id), model, report.usage)
    return Draw(call, price, held, becomes)


def _model(locked: ReservationState, report: Report) -> str:
    """The model that ran, by the name that the rate card has for it; empty where nobody has named one."""
    found = rate_card(locked.rate_card_id).find(report.model or locked.model)
    return found.model if found else report.model


def _state(locked: ReservationState) -> str:
    return LAPSED if locked.expired else locked.state


def _held(
    locked: ReservationState, occurred_at: datetime, *, closes: bool, at: datetime
) -> tuple[HeldParts, AfterDraw]:
    """What pays for a draw, and what becomes of the hold by it. One that is charged at its end holds however
    late it is: until then it is still to be charged, and after that it has just been given back to pay.
    """
    gone = locked.is_lease and not (locked.key_works and locked.seat_works)
    becomes = AfterDraw.SETTLED if closes else AfterDraw.STAYS
    if locked.state == Reservation.State.ENDED:
        return HeldParts(alone=True), becomes
    is_over = at >= locked.holds_until and locked.charges_at is None
    if locked.state != Reservation.State.HELD or is_over:
        return HeldParts(alone=gone), becomes
    left = locked.left_quota_nanousd, locked.left_in_account_nanousd
    promised = locked.raised_at is None or occurred_at >= locked.raised_at
    held = HeldParts(*left, lots_at=locked.created_at, alone=gone, promised=promised)
    return held, AfterDraw.ENDED if gone and not closes else becomes


def check_open(locked: ReservationState, at: datetime) -> None:
    """Raises AlreadySettled, AlreadyReleased, ReportedTooLate where the hold takes no new draw."""
    if locked.state == Reservation.State.SETTLED:
        raise AlreadySettled(_("The reservation is settled; this draw is not one of its draws"))
    if locked.state == Reservation.State.RELEASED and not locked.expired:
        raise AlreadyReleased
    if at > locked.expires_at + TAKEN_FOR:
        raise ReportedTooLate


def digest_of(report: Report) -> UUID:
    """A hash that repeats of a draw share; another draw under the same id has another."""
    moment = report.occurred_at.astimezone(UTC).isoformat() if report.occurred_at else None
    more = [report.estimated, moment, report.agent, report.tags]
    return usage_hash(report.model, report.usage, *more)


def _prior(locked: ReservationState, report: Report) -> UsageEvent | None:
    """The event of this draw, if it was recorded before. What has no id settles its hold: so before the hold
    is settled there is none, and a first settle need not ask.
    """
    if not report.draw_id and locked.state != Reservation.State.SETTLED:
        return None
    return UsageEvent.objects.of_holds(locked.id).filter(team=locked.team_id, draw_id=report.draw_id).first()


def _check_repeat(prior: UsageEvent, report: Report, model: str, digest: UUID) -> None:
    """Raises AlreadySettled where the hold was settled with another report, EventIdReused where a draw's id
    was used for another draw.
    """
    if not prior.draw_id:
        settled = prior.usage, prior.model, prior.estimated
        if settled != (dict(report.usage), model, report.estimated):
            raise AlreadySettled(_("The reservation is settled with other usage"), pointer="/usage")
    elif prior.usage_hash != digest:
        detail = _("The id %(id)r was used for another draw from this reservation")
        raise EventIdReused(detail % {"id": prior.draw_id}, pointer="/id")


def _moment(locked: ReservationState, report: Report, at: datetime) -> datetime:
    """When the call counts and is charged. Raises MomentOutOfRange."""
    if not locked.is_lease:
        return locked.created_at
    if report.occurred_at is None:
        return min(max(at, locked.created_at), locked.expires_at - _BEFORE_THE_END)
    occurred_at = report.occurred_at.astimezone(UTC)
    earliest, latest = locked.created_at - CLOCKS_APART, min(at + MAX_AHEAD, locked.expires_at)
    if not earliest <= occurred_at < latest:
        detail = _("A draw occurs between the authorize of its lease and the end of it")
        raise MomentOutOfRange(detail, pointer="/occurred_at")
    return max(occurred_at, locked.created_at)
