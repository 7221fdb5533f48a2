"""Two hundred want one of ten bought seats at once, while Stripe is heard to bill fewer: nobody holds a seat
that is not paid for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections, transaction

from billing.models import PurchasedSeat
from teams.errors import MemberHasSeat, SeatTaken
from teams.models import Membership, Seat, SeatHolding
from teams.services import seats
from teams.services.memberships import add_member
from tests.helpers.factories import T0, make_user
from tests.helpers.races import patient, race, waiting
from tests.helpers.stripe_says import Bill, put_on_sale
from tokenplan.kit.errors import NotFound

pytestmark = pytest.mark.django_db(transaction=True)

MANY, TEN, THREADS = 200, 10, 20
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("billed_meanwhile", [pytest.param(TEN, marks=pytest.mark.slow), 4])
def test_two_hundred_who_want_ten_bought_seats_never_hold_more_than_are_paid_for(
    billed_meanwhile: int,
) -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": TEN})
    bought = [row.seat for row in PurchasedSeat.objects.select_related("seat").order_by("pk")]
    people = [make_user() for _ in range(THREADS)]
    members = [add_member(team=bill.team, user=person, role="member", at=T0, by=None) for person in people]

    def wants(member: Membership) -> list[object]:
        """Each of these tries ten times, a seat after the other."""
        return [taken(seat, member) for seat in bought]

    def hears() -> list[object]:
        return list(patient(lambda: bill.say({"max": billed_meanwhile}, at=T0 + SECOND)))

    runners: list[Callable[[], list[object]]] = [lambda member=member: wants(member) for member in members]  # type: ignore[misc]
    answers = race(*runners, hears)
    tries = [answer for found in answers[:-1] if isinstance(found, list) for answer in found]
    assert len(tries) == MANY
    odd = [
        answer
        for answer in tries
        if not isinstance(answer, (SeatHolding, SeatTaken, MemberHasSeat, NotFound))
    ]
    assert odd == []
    live = Seat.objects.for_team(bill.team).live()
    held = SeatHolding.objects.current().filter(seat__team=bill.team)
    assert live.count() == billed_meanwhile
    assert held.count() == held.filter(seat__in=live).count() <= billed_meanwhile
    assert held.values("membership").distinct().count() == held.count()
    if billed_meanwhile == TEN:
        assert held.count() == TEN


def taken(seat: Seat, member: Membership) -> object:
    try:
        return patient(lambda: seats.assign_seat(seat=seat, membership=member, by=None, at=T0))
    except (SeatTaken, MemberHasSeat, NotFound) as refusal:
        return refusal


def test_a_sync_that_gives_up_a_later_seat_and_moves_an_earlier_one_locks_them_by_id() -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 2})
    moves, leaves = PurchasedSeat.objects.order_by("seat_id")
    PurchasedSeat.objects.filter(pk=leaves.pk).update(leaves=True)

    def hears() -> list[str]:
        try:
            return bill.say({"plus": 1}, at=T0 + SECOND)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Seat.objects.select_for_update(no_key=True).get(pk=moves.seat_id)
            heard = pool.submit(hears)
            waiting("transactionid", 1)
            # In another order the sync would have this one already, and both would wait for ever.
            Seat.objects.select_for_update(no_key=True, nowait=True).get(pk=leaves.seat_id)
        assert f"seat {leaves.seat.number} is given up" in heard.result(30)
