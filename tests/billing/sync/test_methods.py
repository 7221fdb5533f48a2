"""A subscription is charged to a card or a Link wallet, the customer's default; other methods are shown."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from billing.models import Customer
from billing.stripe_api.client import api
from billing.workflows.customers import portal_url
from billing.workflows.next_invoice import next_invoice
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

SECOND, MONTH = timedelta(seconds=1), timedelta(days=31)
BANK = "pm_usBankAccount_success"
MASTERCARD = "5555 5555 5555 4444"


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    """A Team that has paid a month of one seat by card."""
    story = Story(stripe_account)
    story.subscribe(plus=1)
    stripe_account.deliver()
    return story


def in_portal(story: Story, **chosen: str) -> None:
    """The Owner changes the default in Stripe's portal."""
    story.account.advance(SECOND)
    answer = httpx.post(portal_url(team=story.team, at=story.account.at), data=chosen, verify=False)
    assert answer.status_code == 303
    story.account.deliver()


def attach(story: Story, token: str, *, default: bool = True) -> str:
    story.account.advance(SECOND)
    method = api().payment_methods.attach(token, {"customer": story.customer}).id
    if default:
        api().customers.update(story.customer, {"invoice_settings": {"default_payment_method": method}})
    story.account.deliver()
    return str(method)


def default(story: Story) -> str:
    found = api().customers.retrieve(story.customer).invoice_settings.default_payment_method
    return str(found)


def charged_last(story: Story) -> str:
    """The brand, or the type, of the method that was charged last."""
    details = api().charges.list({"customer": story.customer}).data[0].payment_method_details
    return str(details.card.brand if details.type == "card" else details.type)


def test_the_subscription_is_charged_to_the_default_of_the_customer_and_takes_what_pays_at_once(
    story: Story,
) -> None:
    subscription = story.at_stripe
    assert subscription.default_payment_method is None
    assert subscription.payment_settings.payment_method_types == ["card", "link"]
    assert api().payment_methods.retrieve(default(story)).card.last4 == "4242"


def test_a_card_that_was_chosen_in_the_portal_pays_the_renewal(story: Story) -> None:
    in_portal(story, number=MASTERCARD)

    story.account.advance(MONTH)
    story.account.deliver()

    assert (charged_last(story), story.paid()) == ("mastercard", [2_000, 2_000])
    assert Customer.objects.get().card == "Mastercard ···· 4444"


def test_an_older_card_that_was_chosen_in_the_portal_pays_the_renewal(story: Story) -> None:
    first = default(story)
    in_portal(story, number=MASTERCARD)
    in_portal(story, payment_method=first)

    story.account.advance(MONTH)
    assert charged_last(story) == "visa"


@pytest.mark.slow
def test_a_card_that_paid_an_invoice_on_its_page_pays_what_follows(story: Story) -> None:
    attach(story, "pm_card_chargeCustomerFail")
    story.account.advance(MONTH)
    story.account.deliver()
    assert story.row.status == "past_due"

    story.account.pay(story.at_stripe.latest_invoice.hosted_invoice_url, MASTERCARD)
    story.account.deliver()
    story.account.deliver()  # of what the sync has changed at Stripe

    assert (story.row.status, charged_last(story)) == ("active", "mastercard")
    assert (story.at_stripe.default_payment_method, Customer.objects.get().card) == (
        None,
        "Mastercard ···· 4444",
    )


@pytest.mark.parametrize("is_default", [False, True])
def test_a_bank_account_beside_a_card_is_shown_and_not_charged(story: Story, is_default: bool) -> None:
    attach(story, BANK, default=is_default)

    customer = Customer.objects.get()
    assert (customer.card, customer.other_methods) == ("Visa ···· 4242", ["STRIPE TEST BANK ···· 6789"])
    story.account.advance(MONTH)
    assert (charged_last(story), story.paid()) == ("visa", [2_000, 2_000])


@pytest.mark.slow
def test_with_a_bank_account_alone_the_renewal_is_debited_and_said(story: Story) -> None:
    card = default(story)
    attach(story, BANK)
    api().payment_methods.detach(card)
    story.account.deliver()
    attach(story, BANK)

    customer = Customer.objects.get()
    assert (customer.card, customer.other_methods[0]) == ("", "STRIPE TEST BANK ···· 6789")
    assert next_invoice(team=story.team).card == "STRIPE TEST BANK ···· 6789"
    story.account.advance(MONTH)
    assert charged_last(story) == "us_bank_account"
    assert story.at_stripe.payment_settings.payment_method_types is None


@pytest.mark.slow
def test_a_detached_card_is_forgotten_and_link_takes_its_place(story: Story) -> None:
    card = default(story)
    attach(story, "pm_link", default=False)
    api().payment_methods.detach(card)
    story.account.deliver()

    assert Customer.objects.get().card == "Link (link@example.com)"
    story.account.advance(MONTH)
    assert (charged_last(story), story.paid()) == ("link", [2_000, 2_000])
