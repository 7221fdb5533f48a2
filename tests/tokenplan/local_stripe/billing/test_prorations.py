"""What a change within a period costs, against billing by the second."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.local_stripe.in_process import START, World, at, world

CENTS = {"plus": 2_000, "max": 5_000, "ultra": 12_000}
SEATS = st.fixed_dictionaries({key: st.integers(0, 4) for key in CENTS}).filter(
    lambda seats: any(seats.values())
)
# The period from 31 January to 28 February.
LENGTH = 28 * 24 * 3600


def change(shop: World, id: str, seats: dict[str, int], moment: int, **params: Any) -> Any:
    """Changes the subscription to exactly these seats."""
    kept = {item.price.id: item for item in shop.subscription(id)["items"].data}
    items: list[dict[str, Any]] = []
    for key, count in seats.items():
        item = kept.get(shop.prices[key])
        if item and count:
            items.append({"id": item.id, "quantity": count})
        elif item:
            items.append({"id": item.id, "deleted": True})
        elif count:
            items.append({"price": shop.prices[key], "quantity": count})
    asked = {"items": items, "proration_behavior": "always_invoice", "proration_date": moment, **params}
    return shop.api.subscriptions.update(id, asked)


def cost(seats: dict[str, int]) -> int:
    return sum(CENTS[key] * count for key, count in seats.items())


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    first=SEATS,
    changes=st.lists(st.tuples(st.integers(1, LENGTH - 1), SEATS), max_size=5, unique_by=lambda row: row[0]),
)
def test_all_invoices_of_a_period_come_to_its_seconds(
    first: dict[str, int], changes: list[tuple[int, dict[str, int]]]
) -> None:
    changes = sorted(changes, key=lambda row: row[0])
    with world() as shop:
        customer = shop.customer(clock=shop.clock())
        id = shop.subscribe(customer, **{key: count for key, count in first.items() if count}).id
        for second, seats in changes:
            shop.advance(shop.subscription(id).test_clock, START + second)
            change(shop, id, seats, START + second)
        invoices = shop.invoices(customer)
    lines = sum(len(invoice.lines.data) for invoice in invoices[1:])
    exact, since, seats = Fraction(0), 0, first
    for second, after in [*changes, (LENGTH, {})]:
        exact += Fraction(cost(seats) * (second - since), LENGTH)
        since, seats = second, after
    assert abs(sum(invoice.total for invoice in invoices) - exact) <= Fraction(lines, 2)


@settings(max_examples=15, deadline=None)
@given(first=SEATS, other=SEATS, second=st.integers(1, LENGTH - 1))
def test_a_change_and_its_reverse_in_the_same_second_come_to_nothing(
    first: dict[str, int], other: dict[str, int], second: int
) -> None:
    with world() as shop:
        customer = shop.customer(clock=shop.clock())
        id = shop.subscribe(customer, **{key: count for key, count in first.items() if count}).id
        change(shop, id, other, START + second)
        change(shop, id, first, START + second)
        invoices = shop.invoices(customer)
        assert sum(invoice.total for invoice in invoices) == cost(first)
        items = shop.subscription(id)["items"].data
        assert {item.price.unit_amount: item.quantity for item in items} == {
            CENTS[key]: count for key, count in first.items() if count
        }


def test_a_seat_more_for_half_a_period_costs_half(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    id = shop.subscribe(shop.customer(clock=clock), plus=2).id
    change(shop, id, {"plus": 3}, at(2026, 6, 16))
    invoice = shop.subscription(id, "latest_invoice").latest_invoice
    assert [(line.description, line.amount) for line in invoice.lines.data] == [
        ("Unused time on 2 × Plus after 16 Jun 2026", -2_000),
        ("Remaining time on 3 × Plus after 16 Jun 2026", 3_000),
    ]
    assert (invoice.total, invoice.amount_paid, invoice.billing_reason) == (
        1_000,
        1_000,
        "subscription_update",
    )
    assert invoice.lines.data[0].parent.subscription_item_details.proration is True
    assert invoice.lines.data[0].period.to_dict() == {"start": at(2026, 6, 16), "end": at(2026, 7, 1)}


def test_the_credit_of_a_removed_seat_goes_to_the_balance_and_pays_the_next_invoice(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    id = shop.subscribe(customer, plus=2).id
    shop.advance(clock, at(2026, 6, 16))
    change(shop, id, {"plus": 1}, at(2026, 6, 16))
    latest = shop.subscription(id, "latest_invoice").latest_invoice
    assert (latest.total, latest.amount_due, latest.status, latest.ending_balance) == (
        -1_000,
        0,
        "paid",
        -1_000,
    )
    assert shop.api.customers.retrieve(customer).balance == -1_000
    shop.advance(clock, at(2026, 7, 2))
    renewal = shop.subscription(id, "latest_invoice").latest_invoice
    assert (renewal.total, renewal.starting_balance, renewal.ending_balance) == (2_000, -1_000, 0)
    assert (renewal.amount_due, renewal.amount_paid, renewal.status) == (1_000, 1_000, "paid")
    assert shop.api.customers.retrieve(customer).balance == 0


def test_prorations_wait_for_the_next_invoice_where_asked(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    id = shop.subscribe(customer, plus=2).id
    change(shop, id, {"plus": 3}, at(2026, 6, 16), proration_behavior="create_prorations")
    assert len(shop.invoices(customer)) == 1
    preview = shop.api.invoices.create_preview({"subscription": id})
    shop.advance(clock, at(2026, 7, 2))
    renewal = shop.subscription(id, "latest_invoice").latest_invoice
    assert [line.amount for line in renewal.lines.data] == [-2_000, 3_000, 6_000]
    assert preview.total == renewal.total == 7_000


def test_without_proration_nothing_is_billed_and_nothing_given_back_later(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    id = shop.subscribe(customer, plus=2).id
    change(shop, id, {"plus": 3, "max": 1}, at(2026, 6, 16), proration_behavior="none")
    assert len(shop.invoices(customer)) == 1
    change(shop, id, {"plus": 2, "max": 0}, at(2026, 6, 16))
    # Three seats were never billed: two were, and two are.
    assert [line.amount for line in shop.invoices(customer)[-1].lines.data] == [-2_000, 2_000]


def test_another_interval_begins_a_period_and_credits_what_was_left(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer, plus=1)
    shop.advance(clock, at(2026, 6, 16))
    item = subscription["items"].data[0].id
    shop.api.subscriptions.update(
        subscription.id,
        {
            "items": [{"id": item, "price": shop.prices["plus-year"], "quantity": 1}],
            "proration_behavior": "always_invoice",
        },
    )
    after = shop.subscription(subscription.id, "latest_invoice")
    assert [line.amount for line in after.latest_invoice.lines.data] == [-1_000, 20_000]
    assert [line.description for line in after.latest_invoice.lines.data] == [
        "Unused time on Plus after 16 Jun 2026",
        "1 × Plus (at $200.00 / year)",
    ]
    assert after.billing_cycle_anchor == at(2026, 6, 16)
    period = after["items"].data[0]
    assert (period.current_period_start, period.current_period_end) == (at(2026, 6, 16), at(2027, 6, 16))
    assert after["items"].data[0].id == item


def test_a_proration_date_outside_of_the_period_is_refused(shop: World) -> None:
    customer = shop.customer(clock=shop.clock())
    id = shop.subscribe(customer, plus=1).id
    for moment in (START - 1, at(2026, 2, 28) + 1):
        try:
            change(shop, id, {"plus": 2}, moment)
        except stripe.InvalidRequestError as refusal:
            assert refusal.param == "proration_date"
        else:
            raise AssertionError
    assert shop.subscription(id)["items"].data[0].quantity == 1
    assert len(shop.invoices(customer)) == 1


def test_a_discount_counts_on_what_is_credited_and_debited(shop: World) -> None:
    """A credit gives back what was paid, no more."""
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    coupon = shop.api.coupons.create({"percent_off": "50", "duration": "once"})
    id = shop.api.subscriptions.create(
        {"customer": customer, "items": shop.items(plus=2), "discounts": [{"coupon": coupon.id}]}
    ).id
    assert shop.invoices(customer)[0].total == 2_000
    change(shop, id, {"plus": 3}, at(2026, 6, 16))
    # The coupon was for one invoice: two seats at half price are given back, three at the full one billed.
    assert [line.amount for line in shop.invoices(customer)[-1].lines.data] == [-1_000, 3_000]
