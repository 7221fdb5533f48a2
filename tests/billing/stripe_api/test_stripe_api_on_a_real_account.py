"""The same year at Stripe itself, in test mode, for whoever has an account: TEST_STRIPE_SECRET_KEY=sk_test_….

It makes a test clock in that account, and deletes it with all that lives on it; our products and prices stay.
Without a key the same steps run against the local Stripe, so that they are known to work.
"""

from __future__ import annotations

from typing import cast

import pytest
from django.test import Client

from tests.helpers.at_stripe import EITHER, YearByApi, at_stripe
from tests.helpers.factories import USD
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.year import books_of

pytestmark = pytest.mark.django_db

# After each step, the seats that work.
SEATS = [
    "plus max max",
    "plus max max",
    "plus max max max max",
    "plus max max max max",
    "ultra max max max max",
    "ultra max max max max",
    "ultra max max max max",
    "ultra max max max max",
    "",
    "ultra max max max max",
    "ultra max max max max",
    "plus max max max",
    "plus max max max",
    "plus max max max",
    "plus max max max",
    "plus max max max plus",
    "plus max max max plus",
    "",
    "max",
]


@pytest.mark.slow
@pytest.mark.parametrize("where", EITHER)
def test_a_year_at_stripe_ends_with_equal_books(client: Client, where: str) -> None:
    with at_stripe(client, where) as account:
        year = YearByApi(cast(StripeAccount, account))  # `at` and `advance` are all that it needs
        seats: list[str] = []
        for _, step in year.steps():
            step()
            year.refresh()
            seats.append(" ".join(year.plans()))
        year.reconciles()
        books = books_of(year)
    assert seats == SEATS
    assert books["charged at Stripe"] == books["charged, as we know"] > 0
    assert books["refunded at Stripe"] == books["refunded, as we know"] == 1_000
    assert books["billed at Stripe"] == books["billed, as we know"]
    assert books["owed at Stripe"] == 0
    assert books["Credits granted"] == books["Credits paid for"] == 45 * USD
    assert books["Credits left"] == books["Credits by the ledger"] == 23 * USD
