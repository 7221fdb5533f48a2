"""How a Team that lacks a seat of a plan can get one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.models import Subscription
from billing.selectors.seat_offers import SeatOffer, next_plans, seat_offers
from quota.models import Plan
from quota.services.entitlements import grant_seat
from tests.helpers.factories import T0, USD, make_team
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db


def test_a_team_without_a_subscription_buys_its_first_seat() -> None:
    put_on_sale()
    asks = [(None, "max"), (None, "gone")]
    assert seat_offers(make_team(), asks) == {
        (None, "max"): SeatOffer(is_subscribed=False, moves=False, price_nanousd=50 * USD),
        (None, "gone"): SeatOffer(is_subscribed=False, moves=False),
    }
    assert seat_offers(make_team(), []) == {}


def test_a_seat_that_the_subscription_pays_for_can_be_moved_to_another_plan_and_no_other() -> None:
    put_on_sale()
    bill, other = Bill(), Bill()
    bill.say({"plus": 1})
    other.say({"plus": 1})
    paid, of_others = bill.team.seats.get(), other.team.seats.get()
    plan = Plan.objects.current("plus")
    given = grant_seat(team=bill.team, plan=plan, ends_at=None, source="gift", at=T0, by=None)

    asks = [(seat_id, "max") for seat_id in (paid.pk, None, given.pk, of_others.pk)]
    offers = seat_offers(bill.team, asks)
    max_seat = SeatOffer(is_subscribed=True, moves=False, interval="month", price_nanousd=50 * USD)
    assert offers.pop((paid.pk, "max")) == replace(max_seat, moves=True, more_nanousd=30 * USD)
    assert offers == dict.fromkeys(asks[1:], max_seat)
    same = SeatOffer(is_subscribed=True, moves=True, price_nanousd=20 * USD)
    assert seat_offers(bill.team, [(paid.pk, "plus")]) == {(paid.pk, "plus"): same}


def test_who_pays_by_the_year_sees_the_price_of_a_year() -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"plus": 1})
    Subscription.objects.update(interval="year")
    seat = bill.team.seats.get()

    assert seat_offers(bill.team, [(seat.pk, "max")]) == {
        (seat.pk, "max"): SeatOffer(True, True, "year", price_nanousd=500 * USD, more_nanousd=300 * USD)
    }


def test_the_next_higher_plan_on_sale_is_what_a_paid_seat_can_be_moved_to() -> None:
    plans = put_on_sale()
    bill = Bill()
    bill.say({"plus": 1, "max": 1})
    plus, highest = (
        state.seat.pk for state in sorted(bill.seats(), key=lambda s: s.plan.rank if s.plan else 0)
    )
    given = grant_seat(team=bill.team, plan=plans["plus"], ends_at=None, source="gift", at=T0, by=None)

    assert next_plans(bill.team, [plus, highest, given.pk]) == {plus: plans["max"]}
    assert next_plans(make_team(), [plus]) == {}
    for state in ({"status": "past_due"}, {"status": "active", "cancel_at": T0}):
        Subscription.objects.update(**state)
        assert next_plans(bill.team, [plus]) == {}
