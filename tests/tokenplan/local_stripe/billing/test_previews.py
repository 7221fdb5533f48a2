"""A preview is what is charged, to the cent."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.local_stripe.in_process import START, World, at, world

KEYS = ("plus", "max", "ultra")
YEARLY = ("plus-year", "max-year")
LENGTH = 28 * 24 * 3600
SEATS = st.fixed_dictionaries({key: st.integers(0, 4) for key in KEYS}).filter(
    lambda seats: any(seats.values())
)
YEARS = st.fixed_dictionaries({key: st.integers(0, 3) for key in YEARLY}).filter(
    lambda seats: any(seats.values())
)


def items_for(shop: World, id: str, seats: dict[str, int]) -> list[dict[str, Any]]:
    kept = {item.price.id: item.id for item in shop.subscription(id)["items"].data}
    wanted = {shop.prices[key]: count for key, count in seats.items() if count}
    changes: list[dict[str, Any]] = [
        {"id": item, "quantity": wanted[price]} if price in wanted else {"id": item, "deleted": True}
        for price, item in kept.items()
    ]
    return changes + [
        {"price": price, "quantity": count} for price, count in wanted.items() if price not in kept
    ]


def shown(invoice: Any) -> Any:
    lines = [
        (
            line.description,
            line.amount,
            line.quantity,
            line.period.to_dict(),
            sum(row.amount for row in line.discount_amounts),
        )
        for line in invoice.lines.data
    ]
    money = ("subtotal", "total", "amount_due", "starting_balance", "billing_reason")
    return lines, [invoice[name] for name in money]


@settings(max_examples=25, deadline=None)
@given(
    first=SEATS,
    steps=st.lists(
        st.tuples(
            st.integers(0, LENGTH // 4 - 1),
            st.one_of(SEATS, YEARS),
            st.sampled_from(["always_invoice", "none"]),
        ),
        min_size=1,
        max_size=4,
    ),
    percent=st.sampled_from([None, "10", "33.33"]),
)
def test_what_is_previewed_is_what_is_invoiced(
    first: dict[str, int], steps: list[tuple[int, dict[str, int], str]], percent: str | None
) -> None:
    with world() as shop:
        customer = shop.customer(clock=shop.clock())
        asked: dict[str, Any] = {
            "customer": customer,
            "items": shop.items(**{key: count for key, count in first.items() if count}),
        }
        if percent:
            coupon = shop.api.coupons.create(
                {"percent_off": percent, "duration": "repeating", "duration_in_months": 2}
            )
            asked["discounts"] = [{"coupon": coupon.id}]
        id = shop.api.subscriptions.create(asked).id
        moment = START
        for wait, seats, behavior in steps:
            if wait:
                moment += wait
                shop.advance(shop.subscription(id).test_clock, moment)
            details = {
                "items": items_for(shop, id, seats),
                "proration_behavior": behavior,
                "proration_date": moment,
            }
            if behavior == "none":
                details.pop("proration_date")
            before = shop.invoices(customer)
            preview = shop.api.invoices.create_preview({"subscription": id, "subscription_details": details})
            shop.api.subscriptions.update(id, {**details, "payment_behavior": "pending_if_incomplete"})
            after = shop.invoices(customer)
            assert shop.store.find("invoice", preview.id) is None
            if len(after) > len(before):
                assert shown(preview) == shown(after[-1])
            else:
                assert preview.billing_reason == "subscription_cycle" or not preview.lines.data


@settings(max_examples=12, deadline=None)
@given(first=SEATS, seats=SEATS, second=st.integers(1, LENGTH - 1))
def test_the_next_regular_invoice_is_previewed_as_it_comes(
    first: dict[str, int], seats: dict[str, int], second: int
) -> None:
    with world() as shop:
        clock = shop.clock()
        customer = shop.customer(clock=clock)
        id = shop.subscribe(customer, **{key: count for key, count in first.items() if count}).id
        shop.advance(clock, START + second)
        details = {"items": items_for(shop, id, seats), "proration_behavior": "create_prorations"}
        changed = shop.api.invoices.create_preview({"subscription": id, "subscription_details": details})
        shop.api.subscriptions.update(id, details)
        preview = shop.api.invoices.create_preview({"subscription": id})
        shop.advance(clock, at(2026, 2, 28, 13))
        renewal = shop.subscription(id, "latest_invoice").latest_invoice
        assert shown(changed) == shown(preview) == shown(renewal)


@pytest.mark.parametrize("balance", [0, -300])
def test_the_first_invoice_is_previewed_with_and_without_a_customer(shop: World, balance: int) -> None:
    customer = shop.customer()
    shop.store.save({**shop.store.get("customer", customer), "balance": balance})
    items = shop.items(plus=2, max=1)
    named = shop.api.invoices.create_preview({"customer": customer, "subscription_details": {"items": items}})
    nobody = shop.api.invoices.create_preview({"currency": "usd", "subscription_details": {"items": items}})
    assert (named.total, named.amount_due) == (9_000, 9_000 + balance)
    assert (nobody.total, nobody.amount_due, nobody.customer) == (9_000, 9_000, None)
    id = shop.subscribe(customer, plus=2, max=1).latest_invoice
    assert shop.api.invoices.retrieve(id).amount_paid == 9_000 + balance


def test_where_no_invoice_will_come_there_is_no_preview(shop: World) -> None:
    customer = shop.customer()
    id = shop.subscribe(customer, plus=2).id
    shop.api.subscriptions.update(id, {"cancel_at_period_end": True})
    for asked in ({"subscription": id}, {"customer": customer}):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            shop.api.invoices.create_preview(asked)
        assert (refusal.value.code, refusal.value.http_status) == ("invoice_upcoming_none", 404)
    shop.api.subscriptions.cancel(id)
    with pytest.raises(stripe.InvalidRequestError):
        shop.api.invoices.create_preview({"subscription": id})


def test_a_preview_leaves_nothing_behind(shop: World) -> None:
    customer = shop.customer()
    id = shop.subscribe(customer, plus=2).id
    before = kept_by(shop)
    details = {"items": items_for(shop, id, {"max": 3}), "proration_behavior": "always_invoice"}
    shop.api.invoices.create_preview({"subscription": id, "subscription_details": details})
    shop.api.invoices.create_preview({"subscription": id})
    shop.api.invoices.create_preview(
        {"customer": customer, "subscription_details": {"items": shop.items(max=1)}}
    )
    assert kept_by(shop) == before


def kept_by(shop: World) -> list[str]:
    rows = shop.store._db.execute("SELECT body FROM objects WHERE kind <> 'idempotency_key' ORDER BY seq")
    return [row[0] for row in rows]
