"""What can be paid by what is said on the pages, before anything is paid. From our own rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from billing.models import Change, Customer
from teams.models import User
from tests.helpers.factories import T0, USD, owner_of
from tests.helpers.reading import read
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
BANK = "STRIPE TEST BANK ···· 6789"
CANNOT = (
    f"{BANK}: its payments take days, so it pays for no changes and no auto top-ups. Add a card for those."
)


@pytest.fixture
def bill() -> Bill:
    """A Team that pays for a seat, and has a bank account on file."""
    put_on_sale()
    bill = Bill()
    bill.say({"plus": 1})
    Customer.objects.create(team=bill.team, other_methods=[BANK], created_at=T0)
    return bill


@pytest.mark.parametrize("page", ["billing/", "credits/auto-top-up/"])
def test_a_bank_account_is_shown_with_what_it_cannot_do(bill: Bill, as_user: AsUser, page: str) -> None:
    client = as_user(owner_of(bill.team).user)
    assert CANNOT in read(client, f"/teams/{bill.team.slug}/{page}")


@pytest.mark.parametrize("path", ["subscription", "credits/auto-top-up"])
def test_the_api_lists_it_too(bill: Bill, as_user: AsUser, path: str) -> None:
    client = as_user(owner_of(bill.team).user)
    assert client.get(f"/api/v1/teams/{bill.team.slug}/{path}").json()["other_methods"] == [BANK]


def test_the_switch_of_auto_top_up_says_what_is_charged(bill: Bill, as_user: AsUser) -> None:
    page = read(as_user(owner_of(bill.team).user), f"/teams/{bill.team.slug}/credits/auto-top-up/")
    assert "A card or Link is charged. A bank account cannot be: its payments take days." in page


def test_a_change_that_a_bank_is_paying_is_in_progress(bill: Bill, as_user: AsUser) -> None:
    Change.objects.create(
        team=bill.team,
        subscription=bill.row,
        text="Add 1 seat of Plus",
        request={"kind": "add"},
        target={},
        amount_nanousd=10 * USD,
        proration_at=T0,
        state=Change.State.AWAITS_PAYMENT,
        invoice_id="in_1",
        created_at=T0,
    )
    page = read(as_user(owner_of(bill.team).user), f"/teams/{bill.team.slug}/billing/")
    assert "The bank's payment of $10.00 for Add 1 seat of Plus is in progress." in page
    assert "Discard this change" not in page
