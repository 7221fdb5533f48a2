"""Auto top-up of a Team that has invoices at Stripe which are not its top-up's, or cannot be read."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from billing import stripe_api
from billing.models import CreditPurchase
from billing.selectors.prices import pack_price_id
from billing.services import top_ups
from billing.stripe_api.client import api
from billing.workflows.customers import ensure_customer
from billing.workflows.top_ups import top_up_all
from quota.selectors.credits import team_balance
from teams.models import Mail
from tests.helpers.factories import CREDIT, USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

HOUR = timedelta(hours=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    """A Team with a card, whose auto top-up is due."""
    story = Story(stripe_account)
    ensure_customer(team=story.team, at=stripe_account.at)
    top_ups.set_auto_top_up(
        team=story.team,
        enabled=True,
        threshold_nanousd=5_000 * CREDIT,
        target_nanousd=25_000 * CREDIT,
        month_cap_nanousd=100_000 * CREDIT,
        at=story.account.at,
        by=story.owner,
    )
    card = api().payment_methods.attach("pm_card_visa", {"customer": story.customer})
    api().customers.update(story.customer, {"invoice_settings": {"default_payment_method": card.id}})
    return story


def begun(story: Story) -> CreditPurchase:
    """A top-up whose process died before it noted what Stripe answered."""
    purchase = top_ups.begin_top_up(team=story.team, at=story.account.at)
    assert purchase is not None
    return purchase


def sweep(story: Story, by: timedelta) -> int:
    story.account.advance(by)
    return top_up_all(at=story.account.at)


def payments(story: Story) -> list[str]:
    return [payment.status for payment in api().payment_intents.list({"customer": story.customer}).data]


def test_an_invoice_in_euros_does_not_keep_a_top_up_waiting(story: Story) -> None:
    api().invoices.create({"customer": story.customer, "currency": "usd"})
    purchase = begun(story)
    story.bill_in_euros()

    assert sweep(story, HOUR) == 1

    purchase.refresh_from_db()
    assert (purchase.state, payments(story)) == ("paid", ["succeeded"])
    assert team_balance(story.team.pk, story.account.at) == 25 * USD


def test_a_top_up_of_a_customer_that_stripe_bills_in_euros_alone_fails_with_a_mail(
    story: Story,
) -> None:
    """Its own invoice would be in euros too, if it did not say otherwise, and never be read."""
    story.bill_in_euros()

    assert top_up_all(at=story.account.at) == 0

    purchase = CreditPurchase.objects.get()
    assert (purchase.state, payments(story)) == ("failed", [])
    assert "You cannot combine currencies on a single customer." in purchase.reason
    assert Mail.objects.get(kind="top_up_failed").context["reason"] == purchase.reason


def test_a_top_up_whose_own_invoice_cannot_be_read_is_not_charged_a_second_time(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be paid. It waits until the invoice can be read."""
    purchase = begun(story)
    made = stripe_api.bill_credits(
        request=purchase.pk,
        customer_id=story.customer,
        price_id=pack_price_id(),
        packs=5,
        metadata={"team": str(story.team.pk), "purchase": str(purchase.pk)},
    )
    store = story.account.stripe.store
    as_it_was = store.get("invoice", made.id)
    store.save({**as_it_was, "total": None})
    caplog.set_level(logging.WARNING, "billing")

    assert [sweep(story, by) for by in (HOUR, 25 * HOUR)] == [0, 0]

    assert len(api().invoices.list({"customer": story.customer}).data) == 1
    assert payments(story) in ([], ["requires_payment_method"])
    purchase.refresh_from_db()
    assert purchase.state == "waiting"
    assert f"answer about {made.id} has a shape that is not known here" in caplog.text

    store.save(as_it_was)
    assert sweep(story, HOUR) == 1
    assert (payments(story), len(api().invoices.list({"customer": story.customer}).data)) == (
        ["succeeded"],
        1,
    )
