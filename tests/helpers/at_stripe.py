"""The local Stripe, or Stripe itself in test mode, which the console and the tests reach by its API alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client, override_settings

from billing import stripe_api
from billing.models import Price
from billing.money import PACK_KEY
from billing.stripe_api.client import api
from billing.sync.invoices import sync_invoice
from billing.sync.payments import sync_payment
from billing.workflows.customers import ensure_customer
from tests.helpers import stripe_account as stripe_accounts
from tests.helpers.factories import T0
from tests.helpers.year import Year

KEY = os.environ.get("TEST_STRIPE_SECRET_KEY", "")
EITHER = (
    "local",
    pytest.param("real", marks=pytest.mark.skipif(not KEY, reason="no TEST_STRIPE_SECRET_KEY")),
)


@dataclass
class AtStripe:
    """An account of which only the API is used. `wait`: seconds between two questions whether its clock has
    arrived.
    """

    clock_id: str
    wait: float
    at: datetime = T0

    def deliver(self) -> None:
        """No event comes: whoever needs what happened asks for it."""

    def advance(self, by: timedelta) -> datetime:
        self.at += by
        params = {"frozen_time": int(self.at.timestamp())}
        api().test_helpers.test_clocks.advance(self.clock_id, params)
        while api().test_helpers.test_clocks.retrieve(self.clock_id).status == "advancing":
            time.sleep(self.wait)
        return self.at


class YearByApi(Year):
    """Nobody fills in Stripe's pages here: what they sell is bought by the API. They live by the clock on the
    wall, too, and would refuse a checkout session of another year.
    """

    def buys(self) -> None:
        ensure_customer(team=self.team, at=self.account.at)
        self.team.refresh_from_db()
        self.use_card("pm_card_visa")
        self.subscribes(plus_v1_month=1, max_v1_month=2)
        self.gives_ann_a_seat()

    def returns(self) -> None:
        self.subscribes(max_v1_month=1)

    def subscribes(self, **seats: int) -> None:
        prices = {price.lookup_key: price.stripe_id for price in Price.objects.all()}
        items = [{"price": prices[key], "quantity": count} for key, count in seats.items()]
        api().subscriptions.create({"customer": self.team.customer.stripe_id, "items": items})
        self.refresh()

    def buys_credits(self) -> None:
        purchase, customer_id = uuid4(), str(self.team.customer.stripe_id)
        bill = stripe_api.bill_credits(
            request=purchase,
            customer_id=customer_id,
            price_id=str(Price.objects.get(lookup_key=PACK_KEY).stripe_id),
            packs=5,
            metadata={"team": str(self.team.pk), "purchase": str(purchase)},
        )
        card_id = stripe_api.customer(customer_id).payment_method_id
        stripe_api.pay_invoice(bill.id, payment_method_id=card_id)
        self.reconciles()

    def reconciles(self) -> None:
        """As the nightly comparison, for this customer alone."""
        self.refresh()
        customer = str(self.team.customer.stripe_id)
        for bill in list(stripe_api.invoices(customer)):
            sync_invoice(bill.id, self.account.at)
        for payment in list(stripe_api.payments(customer)):
            sync_payment(payment.id, self.account.at)


@contextmanager
def at_stripe(client: Client, where: str) -> Iterator[AtStripe]:
    if where == "local":
        with stripe_accounts.opened(client), on_a_clock(wait=0) as account:
            yield account
        return
    with override_settings(STRIPE_SECRET_KEY=KEY, STRIPE_API_BASE=""):
        stripe_accounts.sell(T0)
        with on_a_clock(wait=2) as account:
            yield account


@contextmanager
def on_a_clock(*, wait: float) -> Iterator[AtStripe]:
    clock = api().test_helpers.test_clocks.create({"frozen_time": int(T0.timestamp())})
    try:
        with override_settings(STRIPE_TEST_CLOCK=clock.id):
            yield AtStripe(clock.id, wait)
    finally:
        api().test_helpers.test_clocks.delete(clock.id)
