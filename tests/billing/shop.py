"""A Team that pays through a local Stripe, over HTTP and with the real SDK: nothing is mocked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from billing.models import Price
from billing.stripe_api.client import api
from billing.workflows.buying import ensure_customer
from billing.workflows.catalog import publish_prices
from billing.workflows.looks import look_at_customer, look_at_subscription
from teams.models import Membership, Team, User
from tests.factories import make_team, owner_of
from tests.local_stripe.wire import RESOURCES
from tokenplan.local_stripe.app import App
from tokenplan.local_stripe.store import Store

assert RESOURCES


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def stripe_open() -> Iterator[str]:
    store = Store()
    app = App(store, lambda: int(time.time()), pages=lambda environ, start: [])
    server = make_server("127.0.0.1", 0, app, server_class=_Threaded, handler_class=_Silent)
    url = f"http://127.0.0.1:{server.server_port}"
    store.base = url
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with override_settings(STRIPE_API_BASE=url, STRIPE_PAGES=[url]):
            yield url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        store.close()


def open_shop(at: datetime | None = None) -> None:
    """Our plans and prices, published at Stripe."""
    for command in ("load_plans", "load_prices"):
        call_command(command, stdout=StringIO())
    list(publish_prices(at=at or timezone.now()))


@dataclass
class Buyer:
    """A Team with a card at Stripe."""

    team: Team = field(default_factory=make_team)
    card: str = "pm_card_visa"

    def __post_init__(self) -> None:
        self.customer = ensure_customer(team=self.team, at=timezone.now())
        self.use_card(self.card)

    @property
    def owner(self) -> Membership:
        return owner_of(self.team)

    @property
    def user(self) -> User:
        return self.owner.user

    def use_card(self, token: str) -> None:
        """It is charged from now on."""
        method = api().payment_methods.attach(token, {"customer": self.customer}).id
        api().customers.update(self.customer, {"invoice_settings": {"default_payment_method": method}})
        look_at_customer(self.customer, timezone.now())

    def subscribe(self, seats: Mapping[str, int], interval: str = "month") -> str:
        """Seats by plan code, paid for at once."""
        prices = Price.objects.filter(plan__code__in=seats, interval=interval, plan__sellable=True)
        items = [
            {"price": price.stripe_id, "quantity": seats[price.plan.code]} for price in prices if price.plan
        ]
        id = str(api().subscriptions.create({"customer": self.customer, "items": items}).id)
        look_at_subscription(id, timezone.now())
        return id
