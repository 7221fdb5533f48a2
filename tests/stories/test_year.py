"""A year of a Team's life at the local Stripe, on a test clock: every cent and every Credit is accounted for,
whichever of Stripe's events are delivered, in whatever order.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from billing.models import StripeEvent
from billing.stripe_api.client import api
from billing.sync.reconcile import reconcile
from tests.helpers import stripe_account as stripe_accounts
from tests.helpers.factories import USD
from tests.helpers.year import OnTestClock, Year, books_of, state_of
from tokenplan.local_stripe.objects.webhooks import Message, message

pytestmark = pytest.mark.django_db

CENT = 10_000_000
# After each step: the seats that work, and cents charged so far.
STEPS = [
    ("June: one Plus, two Max", "plus max max", 12_000),
    ("Credits for $25", "plus max max", 14_500),
    ("a fortnight later two Max more", "plus max max max max", 19_500),
    ("July: paid again", "plus max max max max", 41_500),
    ("Plus becomes Ultra", "ultra max max max max", 49_564),
    ("$10 of Credits are refunded", "ultra max max max max", 49_564),
    ("the pool tops itself up", "ultra max max max max", 51_564),
    ("August: the card is declined", "ultra max max max max", 51_564),
    ("eight days later the seats stop", "", 51_564),
    ("another card pays", "ultra max max max max", 83_564),
    ("Ultra is to become Plus, a Max to go", "ultra max max max max", 83_564),
    ("September: less", "plus max max max", 100_564),
    ("by the year", "plus max max max", 261_521),
    ("winter: it is canceled", "plus max max max", 261_521),
    ("and resumed", "plus max max max", 261_521),
    ("one Plus more", "plus max max max plus", 273_850),
    ("spring: canceled for good", "plus max max max plus", 273_850),
    ("it ends with its year", "", 273_850),
    ("and the Team comes back", "max", 278_850),
]
ENDED = datetime(2027, 9, 17, 11, 2, tzinfo=UTC)
PAID = [2_000, 2_500, 5_000, 5_000, 8_064, 12_000, 12_329, 17_000, 22_000, 32_000, 160_957]
END: dict[str, Any] = {
    "subscriptions": [
        ("canceled", "year", ENDED, ENDED, ENDED, "", {"max_v1_year": 3, "plus_v1_year": 2}),
        (
            "active",
            "month",
            datetime(2027, 10, 22, 11, 2, tzinfo=UTC),
            None,
            None,
            "",
            {"max_v1_month": 1},
        ),
    ],
    "seats": [("max", None, False)],
    "entitled": [("Max v1", datetime(2027, 10, 23, 11, 2, tzinfo=UTC), None)],
    "held": [],
    "credits": [(20 * USD, 20 * USD, None), (25 * USD, 3 * USD, None)],
    "purchases": [("pack", "paid", 25 * USD, 10 * USD), ("top_up", "paid", 20 * USD, 0)],
    "payments": [("succeeded", cents * CENT, 10 * USD if cents == 2_500 else 0) for cents in PAID],
    "invoices": [("paid", cents * CENT, cents * CENT) for cents in PAID],
    "checkouts": [("credits", "paid"), ("subscription", "paid"), ("subscription", "paid")],
    "changes": [("Add 1", "done"), ("Add 2", "done"), ("Move", "done"), ("Pay by the year", "done")],
}
BOOKS = {
    "charged at Stripe": 278_850,
    "charged, as we know": 278_850,
    "refunded at Stripe": 1_000,
    "refunded, as we know": 1_000,
    "billed at Stripe": 278_850,
    "billed, as we know": 278_850,
    "owed at Stripe": 0,
    "Credits paid for": 45 * USD,
    "Credits granted": 45 * USD,
    "Credits left": 23 * USD,
    "Credits by the ledger": 23 * USD,
}


@contextmanager
def on_a_test_clock(client: Client) -> Iterator[OnTestClock]:
    with stripe_accounts.opened(client) as account:
        clock = api().test_helpers.test_clocks.create({"frozen_time": account.clock.seconds()})
        with override_settings(STRIPE_TEST_CLOCK=clock.id):
            yield OnTestClock(account.stripe, client, account.clock, clock.id)


@pytest.mark.slow
def test_a_year_goes_as_it_should_and_every_cent_and_credit_is_accounted_for(client: Client) -> None:
    with on_a_test_clock(client) as account:
        year = Year(account)
        found = []
        for name, step in year.steps():
            step()
            account.deliver()
            found.append((name, " ".join(year.plans()), sum(year.paid())))
        assert found == STEPS
        assert state_of(year) == END
        assert books_of(year) == BOOKS
        assert not StripeEvent.objects.filter(done_at=None).exists()
        report = reconcile(at=account.at)
        assert (report.repaired, report.unrepaired) == ([], [])
        assert state_of(year) == END


@pytest.mark.slow
class HoweverItsEventsAreDelivered(TestCase):
    """Every event twice, out of order, days late, and some not at all."""

    @hypothesis_settings(max_examples=2, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def test_the_year_ends_the_same(self, chance: random.Random) -> None:
        with on_a_test_clock(self.client) as account:
            waiting: list[Message] = []

            def hears() -> None:
                waiting.extend([event for event in account.events() for _ in range(2)])
                chance.shuffle(waiting)
                now = [waiting.pop() for _ in range(len(waiting) // 2)]
                account.post([signed_now(event, account) for event in now if chance.random() < 0.8])

            year = Year(account, hears=hears)
            year.run()
            assert reconcile(at=account.at).unrepaired == []
            assert state_of(year) == END
            assert books_of(year) == BOOKS
            report = reconcile(at=account.at)
            assert (report.repaired, report.unrepaired) == ([], [])


def signed_now(event: Message, account: OnTestClock) -> Message:
    """Stripe signs again each time it tries again."""
    return message(json.loads(event.payload), settings.STRIPE_WEBHOOK_SECRET, account.clock.seconds())
