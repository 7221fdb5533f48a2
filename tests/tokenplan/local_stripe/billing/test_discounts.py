"""Discounts of subscriptions: how many invoices they last."""

from __future__ import annotations

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
