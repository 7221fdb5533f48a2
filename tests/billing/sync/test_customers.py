"""Which Team a customer at Stripe is: also one that was deleted, or whose answer was lost."""

from __future__ import annotations

from typing import Any

import pytest

from billing import stripe_api
from billing.models import Customer, Invoice
from billing.stripe_api.client import api
from billing.sync.customers import renew_contacts
from billing.sync.reconcile import reconcile
from billing.sync.subscriptions import sync_subscription
from teams.services.teams import transfer_ownership
from tests.helpers.factories import make_member
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def stranger(**about: Any) -> str:
    """Another customer of the account, with a card."""
    customer = api().customers.create(about)
    card = api().payment_methods.attach("pm_card_visa", {"customer": customer.id})
    api().customers.update(customer.id, {"invoice_settings": {"default_payment_method": card.id}})
    return str(customer.id)


@pytest.mark.slow
def test_a_customer_that_is_deleted_at_stripe_ends_and_can_begin_anew(story: Story) -> None:
    story.subscribe(max=1)
    before = story.customer
    api().customers.delete(before)
    story.account.deliver()
    assert (story.row.status, story.plans()) == ("canceled", [])
    assert Customer.objects.get().stripe_id is None
    story.subscribe(max=2)
    assert (story.plans(), story.customer != before) == (["max", "max"], True)
    report = reconcile(at=story.account.at)
    assert (report.repaired, report.unrepaired) == ([], [])


def test_after_a_transfer_stripe_writes_to_the_new_owner(story: Story) -> None:
    story.subscribe(max=1)
    heir = make_member(story.team)
    transfer_ownership(team=story.team, to=heir, by=story.owner, at=story.account.at)
    reconcile(at=story.account.at)
    assert api().customers.retrieve(story.customer).email == heir.user.email
    assert reconcile(at=story.account.at).repaired == []


@pytest.mark.slow
def test_a_customer_of_a_lost_answer_is_nobodys_until_it_has_paid(story: Story) -> None:
    story.subscribe(max=1)
    stray = stranger(metadata={"team": str(story.team.pk)})
    assert reconcile(at=story.account.at).unrepaired == []
    price = next(iter(stripe_api.subscription(story.row.stripe_id).quantities))
    api().subscriptions.create({"customer": stray, "items": [{"price": price}]})
    (line,) = reconcile(at=story.account.at).unrepaired
    assert line.startswith(f"customer {stray} says that it is Team {story.team.pk}")


def test_what_another_customer_of_the_account_does_is_nothing_of_ours(story: Story) -> None:
    other = stranger()
    price = api().prices.list({"lookup_keys": ["max_v1_month"]}).data[0].id
    made = api().subscriptions.create({"customer": other, "items": [{"price": price}]})
    story.account.deliver()
    assert sync_subscription(made.id, story.account.at) == []
    assert not Customer.objects.exists()
    assert not Invoice.objects.exists()


def test_a_team_that_heard_nothing_of_its_customer_is_completed(story: Story) -> None:
    """The process died when Stripe had made it."""
    story.subscribe(max=1)
    Customer.objects.update(stripe_id=None, fetch_sequence=0)
    report = reconcile(at=story.account.at)
    assert report.unrepaired == []
    assert Customer.objects.get(team=story.team).stripe_id is not None


def test_the_sweep_renews_stripes_contact_after_a_transfer_once(story: Story) -> None:
    story.subscribe(max=1)
    heir = make_member(story.team)
    api().customers.update(story.customer, {"name": "Acme Holding GmbH"})
    transfer_ownership(team=story.team, to=heir, by=story.owner, at=story.account.at)

    assert renew_contacts(at=story.account.at) == 1
    assert renew_contacts(at=story.account.at) == 0

    found = api().customers.retrieve(story.customer)
    assert (found.name, found.email) == ("Acme Holding GmbH", heir.user.email)


def test_an_address_that_the_customer_typed_outlives_a_transfer(story: Story) -> None:
    story.subscribe(max=1)
    heir = make_member(story.team)
    api().customers.update(story.customer, {"email": "invoices@acme.test"})
    transfer_ownership(team=story.team, to=heir, by=story.owner, at=story.account.at)

    assert renew_contacts(at=story.account.at) == 0

    assert api().customers.retrieve(story.customer).email == "invoices@acme.test"
