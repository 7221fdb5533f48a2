"""The local Stripe or Stripe itself, in test mode, used alike: by the API alone, on a test clock."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import stripe

from tests.helpers.local_stripe.account import T0, Account

KEY = os.environ.get("TEST_STRIPE_SECRET_KEY", "")
BOTH = (
    "local",
    pytest.param("real", marks=pytest.mark.skipif(not KEY, reason="no TEST_STRIPE_SECRET_KEY")),
)
# Seconds to wait for an event of Stripe's own, and between two looks.
PATIENCE, PAUSE = 30, 2


@dataclass
class Place:
    """An account of which only the API is used. Its customers live on one test clock, and go with it."""

    api: Any
    real: bool
    clock: str = ""
    at: int = T0
    products: list[str] = field(default_factory=list)

    def advance(self, seconds: int) -> int:
        self.at += seconds
        self.api.test_helpers.test_clocks.advance(self.clock, {"frozen_time": self.at})
        while self.api.test_helpers.test_clocks.retrieve(self.clock).status == "advancing":
            time.sleep(PAUSE)
        return self.at

    def price(self, cents: int, interval: str = "") -> str:
        product = self.api.products.create({"name": "Of a test"}).id
        self.products.append(product)
        params = {"product": product, "currency": "usd", "unit_amount": cents, "tax_behavior": "exclusive"}
        if interval:
            params["recurring"] = {"interval": interval}
        return str(self.api.prices.create(params).id)

    def customer(self, card: str = "pm_card_visa", **params: Any) -> str:
        """With this card as the default one, if any."""
        asked = {"email": "owner@example.com", "test_clock": self.clock, **params}
        id = str(self.api.customers.create(asked).id)
        if card:
            self.use(id, card)
        return id

    def use(self, customer: str, token: str) -> str:
        method = str(self.api.payment_methods.attach(token, {"customer": customer}).id)
        self.api.customers.update(customer, {"invoice_settings": {"default_payment_method": method}})
        return method

    def subscribe(self, customer: str, price: str, **params: Any) -> Any:
        asked = {"customer": customer, "items": [{"price": price}], **params}
        return self.api.subscriptions.create(asked)

    def subscription(self, id: str) -> Any:
        return self.api.subscriptions.retrieve(id, {"expand": ["latest_invoice"]})

    def happened(self, kind: str, id: str) -> bool:
        """Whether there is an event of this kind about this object. Stripe's own may come a little later."""
        until = time.monotonic() + PATIENCE
        while True:
            events = self.api.events.list({"type": kind, "limit": 100}).data
            found = any(event.data.object["id"] == id for event in events)
            if found or not self.real or time.monotonic() > until:
                return found
            time.sleep(PAUSE)


@contextmanager
def either(where: str) -> Iterator[Place]:
    if where == "local":
        with Account() as account:
            yield _on_a_clock(Place(account.api, real=False))
        return
    place = _on_a_clock(Place(stripe.StripeClient(KEY).v1, real=True))
    try:
        yield place
    finally:
        place.api.test_helpers.test_clocks.delete(place.clock)
        for product in place.products:
            place.api.products.update(product, {"active": False})


def _on_a_clock(place: Place) -> Place:
    place.clock = place.api.test_helpers.test_clocks.create({"frozen_time": T0}).id
    return place
