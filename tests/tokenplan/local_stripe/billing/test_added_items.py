"""What an update charges once, beside a subscription's items."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.helpers.local_stripe.in_process import World
from tests.helpers.local_stripe.upgrades import begin


def update(shop: World, subscription: Any, *rows: dict[str, Any], **other: Any) -> Any:
    item = subscription["items"].data[0]
    params = {
        "items": [{"id": item.id, "quantity": 2}],
        "proration_behavior": "always_invoice",
        "add_invoice_items": list(rows),
        "expand": ["latest_invoice"],
        **other,
    }
    return shop.api.subscriptions.update(subscription.id, params)


def once(shop: World, cents: int, **other: Any) -> dict[str, Any]:
    product = shop.api.products.create({"name": "Paid back already"}).id
    price = {"currency": "usd", "product": product, "unit_amount": cents}
    return {"price_data": price, "discountable": False, **other}


@pytest.mark.parametrize("cents", [700, -700])
def test_what_is_added_stands_on_the_invoice_of_the_update_alone(shop: World, cents: int) -> None:
    _, customer, subscription = begin(shop, "pm_card_visa")
    alone = shop.api.invoices.create_preview(
        {
            "subscription": subscription.id,
            "subscription_details": {
                "items": [{"id": subscription["items"].data[0].id, "quantity": 2}],
                "proration_behavior": "always_invoice",
            },
        }
    ).total
    bill = update(shop, subscription, once(shop, cents)).latest_invoice
    line = bill.lines.data[-1]
    assert (line.amount, line.description, line.discountable) == (cents, "Paid back already", False)
    assert line.parent.invoice_item_details.subscription == subscription.id
    assert not line.parent.invoice_item_details.proration
    assert bill.total == alone + cents
    assert not shop.api.prices.retrieve(line.pricing.price_details.price).active
    assert shop.api.invoice_items.list({"customer": customer, "pending": True}).data == []


@pytest.mark.parametrize(
    ("row", "other", "param"),
    [
        ({"quantity": 1}, {}, "add_invoice_items[0]"),
        ({"price_data": {"currency": "usd"}}, {}, "add_invoice_items[0][price_data][product]"),
        (None, {"proration_behavior": "create_prorations"}, "add_invoice_items"),
    ],
    ids=["nothing", "no product", "no invoice"],
)
def test_what_cannot_be_added_is_refused(
    shop: World, row: dict[str, Any] | None, other: dict[str, Any], param: str
) -> None:
    _, _, subscription = begin(shop, "pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        update(shop, subscription, once(shop, 5) if row is None else row, **other)
    assert refused.value.param == param
