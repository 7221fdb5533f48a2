"""Test clocks: how far they advance, and what is deleted with them."""

from __future__ import annotations

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.local_stripe.in_process import START, World, at, world


def test_renewals_of_a_clock_that_leaps_come_in_the_order_of_time(shop: World) -> None:
    clock = shop.clock(START)
    customer = shop.customer(clock=clock)
    shop.subscribe(customer, plus=1)
    shop.subscribe(customer, plus_year=1)
    before = len(shop.kinds())
    shop.advance(clock, at(2026, 3, 31))
    assert [invoice.created for invoice in shop.invoices(customer)[2:]] == [at(2026, 2, 28), at(2026, 3, 31)]
    moments = [event["created"] for event in shop.store.all("event")[::-1]][before + 1 : -1]
    assert moments == sorted(moments)
    assert shop.api.test_helpers.test_clocks.retrieve(clock).status == "ready"


def test_a_clock_advances_by_two_intervals_at_most_and_never_back(shop: World) -> None:
    clock = shop.clock(START)
    shop.subscribe(shop.customer(clock=clock), plus=1)
    for until in (START, START - 1, at(2026, 3, 31) + 1):
        with pytest.raises(stripe.InvalidRequestError):
            shop.advance(clock, until)
    assert shop.api.test_helpers.test_clocks.retrieve(clock).frozen_time == START
    shop.advance(clock, at(2026, 3, 31))


def test_a_deleted_clock_takes_its_customers_with_it(shop: World) -> None:
    clock = shop.clock(START)
    customer = shop.customer(clock=clock)
    shop.subscribe(customer, plus=1)
    shop.api.test_helpers.test_clocks.delete(clock)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        shop.api.customers.retrieve(customer)
    assert refusal.value.code == "resource_missing"
    shop.tick(at(2027, 1, 1))
    assert shop.kinds()[-3:] == [
        "customer.subscription.deleted",
        "customer.deleted",
        "test_helpers.test_clock.deleted",
    ]


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    stops=st.lists(st.integers(1, 58 * 24), max_size=6),
    card=st.sampled_from(["pm_card_visa", "pm_card_chargeCustomerFail"]),
    planned=st.booleans(),
)
def test_a_clock_in_one_leap_and_in_many_steps_ends_the_same(
    stops: list[int], card: str, planned: bool
) -> None:
    def lived(hours: list[int]) -> list[object]:
        with world() as shop:
            clock = shop.clock(START)
            customer = shop.customer(clock=clock)
            id = shop.subscribe(customer, plus=2, max=1).id
            if planned:
                schedule = shop.api.subscription_schedules.create({"from_subscription": id})
                phases = [
                    {"items": shop.items(plus=2, max=1), "end_date": at(2026, 2, 28)},
                    {"items": shop.items(max=1), "end_date": at(2026, 3, 31)},
                ]
                shop.api.subscription_schedules.update(schedule.id, {"phases": phases})
            shop.use_card(customer, card)
            for hour in [*sorted(set(hours)), 59 * 24]:
                shop.advance(clock, START + hour * 3600)
            names = ("created", "status", "total", "attempt_count", "next_payment_attempt", "number")
            bills = [[invoice[name] for name in names] for invoice in shop.invoices(customer)]
            for bill in bills:
                bill[-1] = (bill[-1] or "")[-5:]
            kinds = [kind for kind in shop.kinds() if not kind.startswith("test_helpers")]
            return [bills, shop.subscription(id).status, kinds]

    assert lived(stops) == lived([])
