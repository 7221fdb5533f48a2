"""Discounts of subscriptions: how many invoices they last."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.local_stripe.in_process import START, World, at


def test_a_coupon_for_three_months_is_taken_off_three_invoices(shop: World) -> None:
    clock = shop.clock(START)
    customer = shop.customer(clock=clock)
    coupon = shop.api.coupons.create({"percent_off": "25", "duration": "repeating", "duration_in_months": 3})
    shop.api.subscriptions.create(
        {"customer": customer, "items": shop.items(plus=1), "discounts": [{"coupon": coupon.id}]}
    )
    for moment in (at(2026, 3, 1), at(2026, 4, 1), at(2026, 5, 1), at(2026, 6, 1)):
        shop.advance(clock, moment)
    assert [bill.total for bill in shop.invoices(customer)] == [1_500, 1_500, 1_500, 2_000, 2_000]


@pytest.mark.parametrize(
    ("coupon", "totals"),
    [
        ({"duration": "once"}, [1_500, 2_000, 2_000]),
        ({"duration": "forever"}, [1_500, 1_500, 1_500]),
        ({"duration": "repeating", "duration_in_months": 1}, [1_500, 2_000, 2_000]),
        ({"duration": "repeating", "duration_in_months": 2}, [1_500, 1_500, 2_000]),
    ],
)
def test_a_coupon_lasts_as_many_invoices_as_it_says(
    shop: World, coupon: dict[str, Any], totals: list[int]
) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    made = shop.api.coupons.create({"percent_off": "25", **coupon})
    shop.api.subscriptions.create(
        {"customer": customer, "items": shop.items(plus=1), "discounts": [{"coupon": made.id}]}
    )
    for month in (7, 8):
        shop.advance(clock, at(2026, month, 1, 13))
    assert [bill.total for bill in shop.invoices(customer)] == totals


def test_a_coupon_for_three_months_is_taken_off_a_whole_year_that_begins_within_them(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    made = shop.api.coupons.create({"percent_off": "25", "duration": "repeating", "duration_in_months": 3})
    asked = {"customer": customer, "items": shop.items(plus_year=1), "discounts": [{"coupon": made.id}]}
    shop.api.subscriptions.create(asked)
    shop.advance(clock, at(2027, 6, 1, 13))
    assert [bill.total for bill in shop.invoices(customer)] == [15_000, 20_000]
