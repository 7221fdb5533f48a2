"""A Stripe account for tests: the local Stripe in this process, with our prices on sale, and somebody who
pays at its pages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urljoin

import httpx
import time_machine
from django.conf import settings
from django.test import Client, override_settings

from billing.models import Price
from billing.services.plan_lists import load_prices
from billing.services.prices import set_stripe_price_id
from billing.sync.inbox import work_inbox
from billing.workflows.catalog import EVENTS, publish_portal, publish_prices
from quota.models import Plan
from tests.helpers.factories import T0, limits, make_plan
from tokenplan.local_stripe.objects.webhooks import Message
from tokenplan.local_stripe.server import LocalStripe

GOOD = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 0002"
AUTHENTICATES = "4000 0025 0000 3155"
DECLINED_LATER = "4000 0000 0000 0341"
DISPUTED = "4000 0000 0000 0259"
COMES_LATER = "000123456789"
FAILS_LATER = "000222222227"

AT_HOME = {"line1": "1 Market St", "postal_code": "94105", "city": "San Francisco", "country": "US"}
SECRET = "whsec_test"
DOLLARS = {
    "plus": {"month": "20", "year": "200"},
    "max": {"month": "50", "year": "500"},
    "ultra": {"month": "120", "year": "1200"},
}


@dataclass
class Clock:
    at: datetime = T0

    def seconds(self) -> int:
        return int(self.at.timestamp())


@dataclass
class StripeAccount:
    """`at` is the account's time, and ours. It stands still until `advance`."""

    stripe: LocalStripe
    client: Client
    clock: Clock

    @property
    def at(self) -> datetime:
        return self.clock.at

    @property
    def url(self) -> str:
        return self.stripe.url

    def pay(
        self,
        page: str,
        card: str = GOOD,
        *,
        promotion: str = "",
        saved: bool = False,
        authentication: str = "complete",
        details: Mapping[str, str] | None = None,
    ) -> str:
        """Fills the forms of a checkout's or an invoice's page: a promotion code, then a card (`saved`: the
        first one on file) with name, address and tax id (`details`; an address in the US, if the page asks
        for one), then what the bank asks. Returns the address that the browser is led to at last;
        the page itself where it says why not.
        """
        with httpx.Client(verify=False) as browser:  # plain HTTP: no certificates to read
            shown = browser.get(page)
            if shown.is_redirect:
                return str(shown.headers["Location"])
            if promotion:
                shown = browser.post(f"{page}/promotion", data={"code": promotion}, follow_redirects=True)
                assert 'role="alert"' not in shown.text, shown.text
            typed = details if details is not None else AT_HOME if 'name="country"' in shown.text else {}
            chosen = _saved(shown.text) if saved else {"number": card}
            answer = browser.post(page, data={**typed, **chosen})
            if "/authenticate/" in answer.headers.get("Location", ""):
                question = urljoin(page, answer.headers["Location"])
                answer = browser.post(question, data={"answer": authentication})
            return urljoin(page, str(answer.headers.get("Location", page)))

    def deliver(self) -> int:
        """Delivers every event that was not delivered yet, in order, works the inbox; returns how many."""
        return self.post(list(self.events()))

    def events(self) -> Iterator[Message]:
        """What happened since this was last read, of what our endpoint asks for: taken here, it is not
        delivered by anybody else.
        """
        events = self.stripe.events(settings.STRIPE_WEBHOOK_SECRET)
        return (message for message in events if message.kind in EVENTS)

    def post(self, messages: list[Message]) -> int:
        """Posts these to the webhook address, and works the inbox. Returns how many."""
        with time_machine.travel(self.at, tick=False):
            for message in messages:
                answer = self.client.post(
                    "/webhooks/stripe/",
                    data=message.payload,
                    content_type="application/json",
                    headers={"Stripe-Signature": message.signature},
                )
                assert answer.status_code == 200, answer.content
        work_inbox(at=self.at)
        return len(messages)

    def advance(self, by: timedelta) -> datetime:
        """Time passes: what is due at Stripe meanwhile is done, in order. Returns the new time."""
        self.clock.at += by
        self.stripe.tick()
        return self.at


def _saved(page: str) -> dict[str, str]:
    found = re.search(r'name="payment_method" value="(\w+)"', page)
    assert found, "no card is on file"
    return {"payment_method": found[1]}


@contextmanager
def opened(client: Client) -> Iterator[StripeAccount]:
    """An account that sells Plus, Max, Ultra and Credits. Nothing of it outlives the test."""
    clock = Clock()
    with LocalStripe(now=clock.seconds, ticking=False) as stripe:
        account = StripeAccount(stripe, client, clock)
        with override_settings(
            STRIPE_API_BASE=stripe.url,
            STRIPE_SECRET_KEY="sk_test_tests",
            STRIPE_WEBHOOK_SECRET=SECRET,
            STRIPE_PAGES=[stripe.url],
        ):
            put_on_sale(stripe, account.at)
            yield account


# What Stripe has once all is published, and its ids of our prices: the same for every test, so asked once.
_published: list[tuple[bytes, dict[str, str]]] = []


def sell(at: datetime) -> None:
    """Puts our plans and prices into the account."""
    price_plans(at)
    list(publish_prices())
    list(publish_portal())


def price_plans(at: datetime) -> None:
    for code in DOLLARS:
        if not Plan.objects.filter(code=code).exists():
            make_plan(code, limits(3_300_000_000, 33_000_000_000) if code == "plus" else ())
    load_prices(text=json.dumps(DOLLARS), draft=False, at=at, by=None)


def put_on_sale(stripe: LocalStripe, at: datetime) -> None:
    """As `sell`, without asking again what it has answered once."""
    if not _published:
        sell(at)
        ids = {row.lookup_key: str(row.stripe_id) for row in Price.objects.all()}
        _published.append((stripe.store._db.serialize(), ids))
        return
    price_plans(at)
    objects, ids = _published[0]
    stripe.store._db.deserialize(objects)
    for price in Price.objects.all():
        set_stripe_price_id(price=price, stripe_id=ids[price.lookup_key])
