"""The real SDK on a local Stripe without a socket: the same client, the same WSGI application."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import stripe

from tokenplan.local_stripe.http.app import App
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.server import DUE, application

START = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp())


def at(year: int, month: int, day: int, hour: int = 12, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


class Wire(stripe.HTTPClient):
    name = "wire"

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app

    def request(  # type: ignore[override]  # the SDK's own clients answer bytes too
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[bytes, int, Mapping[str, str]]:
        parts = urlsplit(url)
        body = (post_data or "").encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method.upper(),
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "HTTP_HOST": parts.netloc,
        }
        for name, value in (headers or {}).items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        answer: dict[str, Any] = {}

        def start(status: str, found: list[tuple[str, str]], *_: Any) -> Any:
            answer.update(status=int(status.split()[0]), headers=dict(found))

        text = b"".join(self.app(environ, start))
        return text, answer["status"], answer["headers"]

    def close(self) -> None:
        pass


@dataclass
class World:
    """A local Stripe that sells plans by the month and the year, and a pack. Its account's clock stands at
    `now`.
    """

    store: Store = field(default_factory=Store)
    now: int = START
    prices: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store.base = "http://stripe.test"
        app = application(self.store, lambda: self.now)
        client = stripe.StripeClient("sk_test_local", http_client=Wire(app), max_network_retries=0)
        self.api: Any = client.v1
        for key, name, cents, interval in (
            ("plus", "Plus", 2_000, "month"),
            ("max", "Max", 5_000, "month"),
            ("ultra", "Ultra", 12_000, "month"),
            ("plus-year", "Plus", 20_000, "year"),
            ("max-year", "Max", 50_000, "year"),
            ("pack", "Credits", 500, ""),
        ):
            product = self.api.products.create({"name": name})
            params: Any = {"product": product.id, "currency": "usd", "unit_amount": cents}
            if interval:
                params["recurring"] = {"interval": interval}
            self.prices[key] = self.api.prices.create(params).id

    def clock(self, frozen: int = START) -> str:
        return str(self.api.test_helpers.test_clocks.create({"frozen_time": frozen}).id)

    def advance(self, clock: str, until: int) -> Any:
        return self.api.test_helpers.test_clocks.advance(clock, {"frozen_time": until})

    def customer(self, card: str | None = "pm_card_visa", clock: str | None = None) -> str:
        params: Any = {"email": "owner@team.test"} | ({"test_clock": clock} if clock else {})
        if card:
            params |= {"payment_method": card}
        customer = self.api.customers.create(params)
        if card:
            self.use_card(customer.id)
        return str(customer.id)

    def use_card(self, customer: str, card: str | None = None) -> str:
        """Makes the card the customer's default, or else the one attached last."""
        if card:
            self.api.payment_methods.attach(card, {"customer": customer})
        newest = self.api.customers.payment_methods.list(customer).data[0].id
        self.api.customers.update(customer, {"invoice_settings": {"default_payment_method": newest}})
        return str(newest)

    def items(self, **seats: int) -> list[dict[str, Any]]:
        return [
            {"price": self.prices[key.replace("_", "-")], "quantity": count} for key, count in seats.items()
        ]

    def subscribe(self, customer: str, **seats: int) -> Any:
        return self.api.subscriptions.create({"customer": customer, "items": self.items(**seats)})

    def subscription(self, id: str, *expand: str) -> Any:
        return self.api.subscriptions.retrieve(id, {"expand": list(expand)})

    def invoices(self, customer: str, **params: Any) -> list[Any]:
        """The customer's invoices, the oldest first."""
        found = self.api.invoices.list({"customer": customer, "limit": 100, **params})
        return list(found.auto_paging_iter())[::-1]

    def kinds(self) -> list[str]:
        """The types of all events, the oldest first."""
        return [event["type"] for event in self.store.all("event")[::-1]]

    def tick(self, now: int) -> None:
        self.now = now
        DUE.run_until(self.store, None, now)


@contextmanager
def world() -> Iterator[World]:
    made = World()
    try:
        yield made
    finally:
        made.store.close()
