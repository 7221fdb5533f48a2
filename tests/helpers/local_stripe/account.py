"""A served local Stripe whose time stands still, with the SDK's client on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import stripe

from tokenplan.local_stripe.server import LocalStripe

T0 = int(datetime(2026, 6, 3, 10, 2, tzinfo=UTC).timestamp())
DAY = 86400


class Account:
    """A served local Stripe with the SDK's client on it. Its time, `now`, stands still until `pass_time`."""

    def __init__(self, path: Any = None) -> None:
        self.now = T0
        self.stripe = LocalStripe(path, now=lambda: self.now, ticking=False)

    def __enter__(self) -> Account:
        self.stripe.__enter__()
        self.api = client(self.stripe.url)
        return self

    def __exit__(self, *error: Any) -> None:
        self.stripe.stop()

    def pass_time(self, by: timedelta) -> None:
        self.now += int(by.total_seconds())
        self.stripe.tick()

    def price(self, cents: int, interval: str = "", **more: Any) -> str:
        product = self.api.products.create({"name": f"Product of {cents} cents"})
        params = {"product": product.id, "currency": "usd", "unit_amount": cents, **more}
        if interval:
            params["recurring"] = {"interval": interval}
        return str(self.api.prices.create(params).id)

    def customer(self, **params: Any) -> str:
        return str(self.api.customers.create({"email": "owner@example.com", "name": "Owner", **params}).id)

    def session(self, mode: str, customer: str, price: str, quantity: int = 1, /, **params: Any) -> Any:
        return self.api.checkout.sessions.create(
            {
                "mode": mode,
                "customer": customer,
                "line_items": [{"price": price, "quantity": quantity}],
                "success_url": "https://example.com/back?session={CHECKOUT_SESSION_ID}",
                "cancel_url": "https://example.com/left",
                **params,
            }
        )

    def pack_session(self, **params: Any) -> Any:
        """A Checkout Session of a new customer for four packs of $5."""
        return self.session("payment", self.customer(), self.price(500), 4, **params)

    def reloaded(self, session: Any) -> Any:
        return self.api.checkout.sessions.retrieve(session.id)

    def intents(self, session: Any) -> list[Any]:
        """The payment intents of the session's customer, with their latest charges; the newest first."""
        query = {"customer": session.customer, "expand": ["data.latest_charge"]}
        return list(self.api.payment_intents.list(query))

    def get(self, path: str) -> httpx.Response:
        """A page is opened; redirects are not followed."""
        return httpx.get(f"{self.stripe.url}{path}", verify=False)

    def post(self, path: str, **form: str) -> httpx.Response:
        """A page's form is sent; redirects are not followed."""
        return httpx.post(f"{self.stripe.url}{path}", data=form, verify=False)

    def pay(self, session: Any, number: str = "4242424242424242") -> httpx.Response:
        return self.post(f"/checkout/{session.id}", number=number)

    def code(self, word: str, **coupon: Any) -> Any:
        made = self.api.coupons.create({"duration": "once", **(coupon or {"percent_off": 20})})
        return self.api.promotion_codes.create(
            {"code": word, "promotion": {"type": "coupon", "coupon": made.id}}
        )

    def overdue_subscription(self) -> tuple[Any, Any, str]:
        """A subscription whose renewal was declined, its open invoice, and its test clock."""
        clock = self.api.test_helpers.test_clocks.create({"frozen_time": T0}).id
        customer = self.customer(test_clock=clock)
        price = self.price(2000, "month")
        self.pay(self.session("subscription", customer, price), "4000000000000341")
        self.api.test_helpers.test_clocks.advance(clock, {"frozen_time": T0 + 32 * DAY})
        (subscription,) = self.api.subscriptions.list({"customer": customer, "status": "past_due"})
        (invoice,) = self.api.invoices.list({"customer": customer, "status": "open"})
        return subscription, invoice, clock

    def kinds(self) -> list[str]:
        """The types of all events, the oldest first."""
        return [event["type"] for event in reversed(self.stripe.store.all("event"))]


def client(url: str, retries: int = 0) -> Any:
    return stripe.StripeClient(
        "sk_test_tests",
        base_addresses={"api": url},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=20),
    ).v1


def refused(call: Any, *args: Any, code: str | None = None) -> None:
    """The call is refused, with this code."""
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        call(*args)
    assert refusal.value.code == code
