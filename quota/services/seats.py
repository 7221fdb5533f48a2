"""A seat of a plan, whichever is free."""

from __future__ import annotations

from datetime import datetime

from quota.errors import NoFreeSeat
from quota.selectors.seats import free_seats
from teams.errors import MemberHasSeat
from teams.models import Membership, Seat, User
from teams.services import seats
from teams.services.locks import lock_membership, lock_seat
from tokenplan.kit.errors import NotFound
from tokenplan.kit.transactions import one_transaction

# Seats that somebody else may take meanwhile, before none counts as free.
TRIED = 5


@one_transaction()
def give_seat_of_plan(*, membership: Membership, plan_code: str, by: User | None, at: datetime) -> Seat:
    """The member holds a free seat of the plan: the one with the lowest number.

    Raises MemberHasSeat, NoFreeSeat, NotFound.
    """
    membership = lock_membership(membership)
    if membership.holdings.current().exists():
        raise MemberHasSeat
    # In the order of all locks: a seat's number follows its id.
    for seat in free_seats(membership.team, at, plan_code=plan_code).order_by("pk")[:TRIED]:
        try:
            lock_seat(seat)
            # As it is under the lock: it may have been taken, or have got another plan, meanwhile.
            if free_seats(membership.team, at, plan_code=plan_code).filter(pk=seat.pk).exists():
                seats.assign_seat(seat=seat, membership=membership, by=by, at=at)
                return seat
        except NotFound:
            continue
    raise NoFreeSeat
