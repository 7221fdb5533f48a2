"""A member asks for a seat, or a higher one; the Owner or an Admin answers."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from quota.errors import SeatRequestClosed, SeatRequestOpen
from quota.models import Plan, SeatRequest
from teams.models import Membership, Seat, User
from teams.services import mail, seats
from teams.services.audit import record
from teams.services.locks import lock_membership, lock_seats
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.text import clean_name
from tokenplan.kit.transactions import one_transaction, refused_by

MAX_MESSAGE = 500


@one_transaction()
def request_seat(
    *, membership: Membership, plan_code: str, message: str, at: datetime, by: User
) -> SeatRequest:
    """The request waits in the Team's inbox, and its Owner and Admins get a mail.

    Raises SeatRequestOpen while an earlier one waits; InvalidValue for a plan that is not sold, and for the
    Owner, who has nobody to ask.
    """
    membership = lock_membership(membership)
    if membership.is_owner:
        raise InvalidValue(_("You own this Team: buy the seat, or move one to yourself."))
    plan = Plan.objects.sellable().filter(code=plan_code).first()
    if plan is None:
        raise InvalidValue(_("Choose one of the plans that are sold."), pointer="/plan_code")
    message = clean_name(message, pointer="/message", limit=MAX_MESSAGE, required=False)
    with refused_by(one_open_seat_request_per_member=SeatRequestOpen):
        request = SeatRequest.objects.create(
            team=membership.team,
            membership=membership,
            plan_code=plan.code,
            message=message,
            created_at=at,
        )
    record(
        team=membership.team,
        by=by,
        action="seat.requested",
        subject=membership.user.email,
        details={"plan": plan.code},
        at=at,
    )
    for manager in _managers(membership):
        mail.queue(
            kind="seat_requested",
            to=manager.user.email,
            context={
                "team": membership.team.name,
                "slug": membership.team.slug,
                "member": membership.user.display_name,
                "plan": plan.name,
                "message": message,
            },
            dedupe_key=f"seat_requested:{request.pk}:{manager.pk}",
            at=at,
        )
    return request


@one_transaction()
def answer_request(
    *, request: SeatRequest, granted: bool, seat: Seat | None, at: datetime, by: User
) -> SeatRequest:
    """Closes the request and mails the answer to the member.

    With `seat`, a granted member holds that seat from now on, instead of the one held before.

    Raises SeatRequestClosed, NotFound once the member left, SeatTaken.
    """
    # The member before the request: the order in which a removal, which closes requests, takes them.
    membership = lock_membership(request.membership)
    locked = SeatRequest.objects.select_for_update(no_key=True).get(pk=request.pk)
    if locked.closed_at is not None:
        raise SeatRequestClosed
    if seat is not None and granted:
        _give(seat, membership, at=at, by=by)
    locked.closed_at, locked.closed_by, locked.granted = at, by, granted
    locked.save(update_fields=["closed_at", "closed_by", "granted"])
    record(
        team=membership.team,
        by=by,
        action="seat.request_answered",
        subject=membership.user.email,
        details={"plan": locked.plan_code, "granted": granted},
        at=at,
    )
    plan = Plan.objects.filter(code=locked.plan_code).order_by("-version")[:1].get()
    mail.queue(
        kind="seat_request_answered",
        to=membership.user.email,
        context={
            "team": membership.team.name,
            "plan": plan.name,
            "answer": "granted" if granted else "declined",
            "by": by.display_name,
        },
        dedupe_key=f"seat_request_answered:{locked.pk}",
        at=at,
    )
    return locked


def _give(seat: Seat, membership: Membership, *, at: datetime, by: User) -> None:
    holding = membership.holdings.current().select_related("seat").first()
    if holding is not None and holding.seat_id == seat.pk:
        return
    # Both before either is changed, in the order of all locks: another may be given them the other way round.
    lock_seats([seat, holding.seat] if holding is not None else [seat])
    if holding is not None:
        seats.end_holding(seat=holding.seat, held_by=membership, by=by, at=at)
    seats.assign_seat(seat=seat, membership=membership, by=by, at=at)


def _managers(membership: Membership) -> list[Membership]:
    """The Owner and the Admins, without the member who asks."""
    managers = Membership.objects.for_team(membership.team).live().managers().select_related("user")
    return list(managers.exclude(pk=membership.pk).order_by("pk"))
