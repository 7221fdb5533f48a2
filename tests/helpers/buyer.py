"""A Team that has paid for seats at a local Stripe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import time_machine

from billing.models import Customer
from billing.stripe_api.client import api
from billing.sync.checkouts import sync_checkout
from billing.sync.customers import sync_customer
from billing.workflows.checkouts import buy_seats
from teams.models import Membership, Team, User
from tests.helpers.factories import make_team, owner_of
from tests.helpers.seat_states import seats_of
from tests.helpers.stripe_account import GOOD, StripeAccount


@dataclass
class Buyer:
    account: StripeAccount
    team: Team = field(default_factory=make_team)

    @property
    def owner(self) -> Membership:
        return owner_of(self.team)

    @property
    def user(self) -> User:
        return self.owner.user

    @property
    def customer(self) -> str:
        return str(Customer.objects.get(team=self.team).stripe_id)

    def subscribe(self, seats: Mapping[str, int], interval: str = "month") -> None:
        """Seats by plan code, paid with a good card."""
        at = self.account.at
        checkout = buy_seats(team=self.team, seats=seats, interval=interval, at=at, by=self.user)
        self.account.pay(checkout.url, GOOD)
        sync_checkout(checkout, at)

    def use_card(self, token: str) -> None:
        """It is charged from now on, for everything."""
        method = api().payment_methods.attach(token, {"customer": self.customer}).id
        api().customers.update(self.customer, {"invoice_settings": {"default_payment_method": method}})
        for row in api().subscriptions.list({"customer": self.customer}).data:
            api().subscriptions.update(row.id, {"default_payment_method": method})
        sync_customer(self.customer, self.account.at)

    def plans(self) -> list[str]:
        """Of the seats that work, the oldest first."""
        states = seats_of(self.team, self.account.at)
        return [state.plan.code for state in states if state.plan and state.windows]

    def charges(self) -> list[int]:
        """Cents, the oldest first."""
        paid = api().payment_intents.list({"customer": self.customer}).data
        return [payment.amount for payment in paid if payment.status == "succeeded"][::-1]

    @contextmanager
    def later(self, by: timedelta) -> Iterator[None]:
        """Time passes, at Stripe and here."""
        with time_machine.travel(self.account.advance(by), tick=False):
            yield
