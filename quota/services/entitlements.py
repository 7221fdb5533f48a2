"""What a seat may use and until when. An operator's grant and a paid period come through the same verbs."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format

from quota.errors import PlanNotSellable, SeatNotEntitled
from quota.models import Entitlement, Plan
from quota.services.charges import rebuild_buckets
from teams.errors import InvalidValue
from teams.models import Seat, Team, User
from teams.services import seats
from teams.services.audit import Details, record
from teams.transactions import one_transaction


@one_transaction()
def grant_seat(
    *, team: Team, plan: Plan, ends_at: datetime | None, source: str, at: datetime, by: User | None
) -> Seat:
    """A new seat of the Team that may use `plan` from now until `ends_at` (None: until further notice).

    Raises PlanNotSellable, InvalidValue.
    """
    if not Plan.objects.sellable().filter(pk=plan.pk).exists():
        raise PlanNotSellable(f"{plan} is no longer offered")
    seat = seats.add_seat(team=team, by=by, at=at)
    entitle_seat(seat=seat, plan=plan, starts_at=at, ends_at=ends_at, source=source, at=at, by=by)
    return seat


@one_transaction()
def entitle_seat(
    *,
    seat: Seat,
    plan: Plan,
    starts_at: datetime,
    ends_at: datetime | None,
    renews_at: datetime | None = None,
    source: str,
    at: datetime,
    by: User | None,
) -> Entitlement:
    """From `starts_at` the seat may use `plan`, until `ends_at`; it replaces what the seat was entitled to.
    `renews_at` is for people: when the period ends and the next is to begin.

    Usage is never reset: it hangs on the seat, and a window rule that is new to the seat is summed up from
    its events. The same source again changes nothing. Raises InvalidValue.
    """
    if ends_at is not None and ends_at <= starts_at:
        raise InvalidValue("It must end after it begins", pointer="/ends_at")
    seat = seats.lock(seat)
    open_one = Entitlement.objects.open().filter(seat=seat).select_related("plan").first()
    wanted = (source, plan.pk, ends_at, renews_at)
    if open_one and (open_one.source, open_one.plan_id, open_one.ends_at, open_one.renews_at) == wanted:
        return open_one
    known = set(
        Entitlement.objects.filter(seat=seat).values_list("plan__limits__rule_key", flat=True).distinct()
    )
    if open_one:
        open_one.superseded_at = max(starts_at, open_one.starts_at)
        open_one.save(update_fields=["superseded_at"])
    entitlement = Entitlement.objects.create(
        team_id=seat.team_id,
        seat=seat,
        plan=plan,
        starts_at=starts_at,
        ends_at=ends_at,
        renews_at=renews_at,
        source=source,
        created_at=at,
    )
    for limit in plan.limits.all():
        if limit.rule_key not in known:
            rebuild_buckets(seat_id=seat.pk, rule=limit.rule)
    details: Details = {
        "seat": seat.pk,
        "plan": str(plan),
        "before": str(open_one.plan) if open_one else None,
        "until": date_format(renews_at or ends_at, "Y-m-d H:i") if ends_at else None,
        "source": source,
    }
    record(team=seat.team, by=by, action="seat.entitled", subject=str(seat), details=details, at=at)
    return entitlement


@one_transaction()
def suspend_seat(*, seat: Seat, since: datetime | None = None, at: datetime, by: User | None) -> Entitlement:
    """The seat stops working at `since` (now, if left out) until it is resumed; its usage falls to Credits.

    A `since` to come needs no job: each call compares it with its own moment. Raises SeatNotEntitled.
    """
    return _set_suspended(seat, since or at, "seat.suspended", at, by)


@one_transaction()
def resume_seat(*, seat: Seat, at: datetime, by: User | None) -> Entitlement:
    """The seat works again, with the usage it has. Raises SeatNotEntitled."""
    return _set_suspended(seat, None, "seat.resumed", at, by)


def _set_suspended(
    seat: Seat, suspended_at: datetime | None, action: str, at: datetime, by: User | None
) -> Entitlement:
    seat = seats.lock(seat)
    entitlement = Entitlement.objects.open().filter(seat=seat).first()
    if entitlement is None:
        raise SeatNotEntitled
    both = entitlement.suspended_at is not None and suspended_at is not None
    # One that is suspended stays so from the moment it was; one that is to be may yet get another moment.
    settled = both and entitlement.is_suspended(at)
    if entitlement.suspended_at != suspended_at and not settled:
        entitlement.suspended_at = suspended_at
        entitlement.save(update_fields=["suspended_at"])
        details: Details = {
            "seat": seat.pk,
            "from": date_format(suspended_at, "Y-m-d H:i") if suspended_at else None,
        }
        record(team=seat.team, by=by, action=action, subject=str(seat), details=details, at=at)
    return entitlement


@one_transaction()
def withdraw_seat(*, seat: Seat, at: datetime, by: User | None) -> Seat:
    """The seat is given up now: its entitlement ends, and its holder, if any, is without a seat."""
    seat = seats.lock(seat)
    Entitlement.objects.open().filter(seat=seat).update(superseded_at=at)
    return seats.remove_seat(seat=seat, by=by, at=at)
