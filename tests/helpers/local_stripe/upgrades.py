"""A subscription to one Plus seat that is upgraded to Max in the middle of its month."""

from __future__ import annotations

from typing import Any

from tests.helpers.local_stripe.in_process import World, at

NOW = at(2026, 6, 16)


def begin(shop: World, card: str = "pm_card_chargeCustomerFail") -> tuple[str, str, Any]:
    """A subscription to one Plus seat, paid for June; on the 16th the customer has another card."""
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer, plus=1)
    shop.use_card(customer, card)
    shop.advance(clock, NOW)
    return clock, customer, subscription


def upgrade(shop: World, subscription: Any, **params: Any) -> Any:
    item = subscription["items"].data[0].id
    asked = {
        "items": [{"id": item, "price": shop.prices["max"], "quantity": 1}],
        "proration_behavior": "always_invoice",
        "payment_behavior": "pending_if_incomplete",
        "expand": ["latest_invoice"],
        **params,
    }
    return shop.api.subscriptions.update(subscription.id, asked)
