"""Buying in a checkout session, from the payment page to the seat: two clicks lead to one page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing import stripe_api
from billing.models import (
    Checkout,
    Price,
    Subscription,
)
from billing.services import checkouts
from billing.stripe_api.client import api
from billing.workflows.checkouts import (
    buy_credits,
    buy_seats,
    expire_old_checkouts,
    send_checkout,
)
from billing.workflows.customers import ensure_customer
from tests.helpers.buyer import Buyer
from tests.helpers.factories import make_team, owner_of
from tests.helpers.seat_states import seats_of
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

HOUR = timedelta(hours=1)


def test_seats_that_are_paid_for_work(stripe_account: StripeAccount) -> None:
    team = make_team()
    owner = owner_of(team).user
    checkout = buy_seats(team=team, seats={"max": 2}, interval="month", at=stripe_account.at, by=owner)
    back = stripe_account.pay(checkout.url)
    assert back.endswith(f"/billing/checkouts/{checkout.pk}/")
    stripe_account.deliver()
    checkout.refresh_from_db()
    assert checkout.state == Checkout.State.PAID
    assert Subscription.objects.get(team=team).status == "active"
    assert [state.plan.code for state in seats_of(team, stripe_account.at) if state.plan] == ["max", "max"]


def test_credits_that_are_paid_for_are_granted(stripe_account: StripeAccount) -> None:
    team = make_team()
    owner = owner_of(team).user
    checkout = buy_credits(team=team, packs=2, at=stripe_account.at, by=owner)
    stripe_account.pay(checkout.url)
    stripe_account.deliver()
    assert [lot.remaining_nanousd for lot in team.credit_grants.all()] == [10_000_000_000]


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def test_a_checkout_that_nobody_finished_is_over_after_twelve_hours(story: Story) -> None:
    checkout = story.begin_checkout(max=1)
    assert expire_old_checkouts(at=story.account.at + 11 * HOUR) == 0
    story.account.advance(12 * HOUR)
    assert expire_old_checkouts(at=story.account.at) == 1
    checkout.refresh_from_db()
    assert checkout.state == "expired"


def test_a_checkout_whose_page_was_never_made_is_over_then_too(story: Story) -> None:
    checkout = story.begin_checkout(max=1)
    Checkout.objects.update(stripe_id=None, url="")
    assert expire_old_checkouts(at=checkout.expires_at) == 1
    checkout.refresh_from_db()
    assert checkout.state == "expired"


def two_clicks(buyer: Buyer) -> tuple[Checkout, Checkout]:
    """One checkout session, as the first click wrote it and as the second one read it, before Stripe was
    asked."""
    prices = {str(row.stripe_id): 1 for row in Price.objects.filter(interval="month")}
    first = checkouts.begin_checkout(
        team=buyer.team,
        kind=Checkout.Kind.SUBSCRIPTION,
        prices=dict(sorted(prices.items(), reverse=True)),  # the database gives them in another order
        text="two seats",
        at=buyer.account.at,
        by=buyer.user,
    )
    return first, Checkout.objects.select_related("team").get(pk=first.pk)


def test_two_clicks_at_once_lead_to_one_page(stripe_account: StripeAccount) -> None:
    buyer = Buyer(stripe_account)
    first, second = two_clicks(buyer)

    pages = {send_checkout(checkout=click, at=stripe_account.at).url for click in (first, second)}

    assert len(pages) == 1
    assert len(api().checkout.sessions.list({}).data) == 1
    assert Checkout.objects.get().state == Checkout.State.OPEN


def test_a_page_that_was_asked_for_in_other_words_is_found_again(
    stripe_account: StripeAccount, settings: Any
) -> None:
    first, second = two_clicks(Buyer(stripe_account))
    url = send_checkout(checkout=first, at=stripe_account.at).url
    settings.BASE_URL = "https://elsewhere.example"

    assert send_checkout(checkout=second, at=stripe_account.at).url == url
    assert len(api().checkout.sessions.list({}).data) == 1


def test_what_another_release_asked_for_is_none_of_somebody_elses(stripe_account: StripeAccount) -> None:
    buyer, other = Buyer(stripe_account), Buyer(stripe_account)
    first, _ = two_clicks(buyer)
    send_checkout(checkout=first, at=stripe_account.at)

    customer = ensure_customer(team=other.team, at=stripe_account.at)
    assert stripe_api.find_checkout(customer, request=first.pk) is None
