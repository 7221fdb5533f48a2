"""A member asks for a seat, or a higher one; the Owner or an Admin answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from quota.errors import SeatNotEntitled, SeatRequestClosed, SeatRequestNeedsSeat, SeatRequestOpen
from quota.models import Entitlement, Plan, SeatRequest
from quota.selectors.member_requests import plans_above, who_answers
from teams.models import Membership, Seat, SeatHolding, User
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

    Raises SeatRequestOpen while an earlier one waits; InvalidValue for a plan that is not sold or is not
    above the plan of the seat held, and for the Owner, who has nobody to ask.
    """
    membership = lock_membership(membership)
    if membership.is_owner:
        raise InvalidValue(_("You own this Team: buy the seat, or move one to yourself."))
    plan = next((plan for plan in plans_above(membership, at) if plan.code == plan_code), None)
    if plan is None:
        raise InvalidValue(
            _("Choose a plan that is sold, and higher than the one you have."), pointer="/plan_code"
        )
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
    for manager in who_answers(membership):
        mail.queue(
            kind="seat_requested",
            to=manager.user.email,
            context={
                "team": membership.team.kept_name,
                "slug": membership.team.slug,
                "member": membership.user.display_name,
                "plan": plan.name,
                "message": message,
            },
            dedupe_key=f"{asked_in(request)}{manager.pk}",
            at=at,
        )
    return request


def asked_in(request: SeatRequest) -> str:
    """What the keys of the mails to those who may answer begin with."""
    return f"member:{request.membership_id}:seat_request:{request.pk}:"


@one_transaction()
def answer_request(
    *, request: SeatRequest, granted: bool, seat: Seat | None, at: datetime, by: User
) -> SeatRequest:
    """Closes the request and mails to the member what was done.

    A request is granted by giving `seat`, which the member holds from now on instead of the one held before.
    The seat held already is given again only where its plan is the one asked for: it was raised since.

    Raises SeatRequestClosed, NotFound once the member left, SeatRequestNeedsSeat, SeatTaken, SeatNotEntitled
    for a seat whose plan does not work.
    """
    # The member before the request: the order in which a removal, which closes requests, takes them.
    membership = lock_membership(request.membership)
    locked = SeatRequest.objects.select_for_update(no_key=True).get(pk=request.pk)
    if locked.closed_at is not None:
        raise SeatRequestClosed
    locked.closed_at, locked.closed_by, locked.granted = at, by, granted
    given = None
    if granted:
        if seat is None:
            raise SeatRequestNeedsSeat
        given = _give(seat, membership, asked=locked.plan_code, at=at, by=by)
        locked.seat, locked.seat_plan_code = seat, given.code
    locked.save(update_fields=["closed_at", "closed_by", "granted", "seat", "seat_plan_code"])
    mail.take_back(asked_in(locked))
    record(
        team=membership.team,
        by=by,
        action="seat.request_answered",
        subject=membership.user.email,
        details={
            "plan": locked.plan_code,
            "granted": granted,
            **({"seat": locked.seat_id, "seat_plan": given.code} if given else {}),
        },
        at=at,
    )
    plan = Plan.objects.filter(code=locked.plan_code).order_by("-version")[:1].get()
    held = membership.holdings.current().first() if granted else None
    about = f"holding:{held.pk}" if held else f"member:{membership.pk}"
    mail.queue(
        kind="seat_request_answered",
        to=membership.user.email,
        context={
            "team": membership.team.kept_name,
            "plan": plan.name,
            "answer": "granted" if granted else "declined",
            "by": by.display_name,
            "at": at.isoformat(),
            **({"seat": seat.number, "seat_plan": given.name} if seat and given else {}),
        },
        dedupe_key=f"{about}:answer:{locked.pk}",
        at=at,
    )
    return locked


def lock_requests_of_holders(seat_ids: Collection[int]) -> list[SeatRequest]:
    """The open requests of the members who hold these seats, locked after their members. Called inside a
    transaction before it locks a seat: `grant_raised` answers them once it has raised the seats.
    """
    holding = SeatHolding.objects.current().filter(seat__in=seat_ids).values("membership")
    asking = SeatRequest.objects.open().filter(membership__in=holding).values("membership")
    members = Membership.objects.live().select_for_update(no_key=True).filter(pk__in=asking)
    locked = list(members.order_by("pk"))
    rows = SeatRequest.objects.open().select_for_update(no_key=True, of=("self",))
    return list(rows.filter(membership__in=locked).select_related("membership").order_by("pk"))


@one_transaction()
def grant_raised(*, requests: Sequence[SeatRequest], at: datetime, by: User) -> list[SeatRequest]:
    """Grants those whose member holds a seat that works and has the plan asked for now; the others stay open.
    `requests` are those of `lock_requests_of_holders`. Returns the granted ones.
    """
    granted = []
    for request in requests:
        holding = request.membership.holdings.current().select_related("seat").first()
        if holding is None:
            continue
        works = Entitlement.objects.filter(seat=holding.seat_id).working(at)
        if works.filter(plan__code=request.plan_code).exists():
            answered = answer_request(request=request, granted=True, seat=holding.seat, at=at, by=by)
            granted.append(answered)
    return granted


def _give(seat: Seat, membership: Membership, *, asked: str, at: datetime, by: User) -> Plan:
    """The member holds the seat; returns its plan."""
    holding = membership.holdings.current().select_related("seat").first()
    # Both before either is changed, in the order of all locks: another may be given them the other way round.
    lock_seats([seat, holding.seat] if holding is not None else [seat])
    entitlement = Entitlement.objects.filter(seat=seat).working(at).select_related("plan").first()
    if entitlement is None:
        raise SeatNotEntitled
    if holding is not None and holding.seat_id == seat.pk:
        if entitlement.plan.code != asked:
            raise SeatRequestNeedsSeat
        return entitlement.plan
    if holding is not None:
        seats.end_holding(seat=holding.seat, held_by=membership, by=by, at=at)
    seats.assign_seat(seat=seat, membership=membership, by=by, at=at)
    return entitlement.plan
