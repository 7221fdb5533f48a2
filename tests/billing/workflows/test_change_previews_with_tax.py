"""With Stripe Tax what is shown is what is billed; where the tax cannot be known, the Owner is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing.errors import AddressNeeded
from billing.models import Change, Invoice
from billing.selectors.change_requests import change_request
from billing.stripe_api.client import api
from billing.workflows.checkouts import preview_seats
from billing.workflows.next_invoice import next_invoice
from teams.models import Mail
from tests.helpers.factories import USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import AT_HOME, StripeAccount

MONTH = timedelta(days=31)


@pytest.fixture
def story(stripe_account: StripeAccount, settings: Any) -> Story:
    """A Team in the US that has paid a month of one seat: $20, and 10 percent of tax."""
    settings.STRIPE_TAX = True
    story = Story(stripe_account)
    story.subscribe(plus=1)
    stripe_account.deliver()
    return story


def move_away(story: Story) -> None:
    """Nobody knows any more where the customer is."""
    api().customers.update(story.customer, {"address": {"country": "US", "postal_code": ""}})
    story.account.deliver()


def test_what_is_shown_is_what_the_invoice_says(story: Story) -> None:
    first = preview_seats(team=story.team, seats={"max": 1}, interval="month", at=story.account.at)
    assert first.due_nanousd == 55 * USD
    shown = story.preview(change_request(kind="add", plan="plus", count=1))
    assert (shown.amount_nanousd, shown.renewal_nanousd) == (22 * USD, 44 * USD)
    assert story.add("plus") is not None
    coming = next_invoice(team=story.team).invoice
    assert coming is not None
    assert (coming.due_nanousd, coming.rest_nanousd) == (44 * USD, 4 * USD)

    story.account.advance(MONTH)
    assert story.paid() == [2_200, 2_200, 4_400]


def test_a_customer_of_no_known_place_sees_that_the_tax_is_missing(
    stripe_account: StripeAccount, settings: Any
) -> None:
    settings.STRIPE_TAX = True
    team = Story(stripe_account).team
    first = preview_seats(team=team, seats={"max": 1}, interval="month", at=stripe_account.at)
    assert (first.needs_address, first.due_nanousd) == (True, 50 * USD)


def test_a_change_asks_for_the_address_before_anything_is_paid(story: Story) -> None:
    shown = story.preview(change_request(kind="add", plan="plus", count=1))
    move_away(story)

    with pytest.raises(AddressNeeded):
        story.preview(change_request(kind="add", plan="plus", count=1))
    with pytest.raises(AddressNeeded):
        story.confirm(change_request(kind="add", plan="plus", count=1), shown)

    assert (story.plans(), story.paid(), Change.objects.count()) == (["plus"], [2_200], 0)


@pytest.mark.slow
def test_a_renewal_without_an_address_is_noticed_and_completed_when_it_comes(story: Story) -> None:
    move_away(story)
    story.account.advance(MONTH)
    story.account.deliver()
    assert (story.paid(), Invoice.objects.latest("created_at").status) == ([2_200], "draft")
    assert Mail.objects.filter(kind="address_needed", to=story.owner.email).count() == 1

    api().customers.update(story.customer, {"address": AT_HOME})
    story.account.deliver()
    story.account.advance(timedelta(hours=2))
    story.account.deliver()

    assert (story.paid(), story.row.status) == ([2_200, 2_200], "active")
    assert Invoice.objects.latest("created_at").status == "paid"
