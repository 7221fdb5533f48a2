"""A Team has one subscription, also while events are late: a second one is refused and left to people."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from billing import stripe_api
from billing.errors import AlreadySubscribed
from billing.models import Checkout, Subscription
from billing.sync.checkouts import sync_checkout
from billing.sync.subscriptions import apply_fetched_subscription
from billing.workflows.checkouts import buy_seats
from tests.helpers.buyer import Buyer
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.stripe_says import answered

DAY = timedelta(days=1)


def test_a_team_that_returns_does_not_wait_for_the_news_of_its_end(stripe_account: StripeAccount) -> None:
    buyer = Buyer(stripe_account)
    buyer.subscribe({"max": 1})
    before = Subscription.objects.get()
    checkout = buy_elsewhere(buyer)
    stripe_api.end_subscription(before.stripe_id)
    stripe_account.pay(checkout.url)

    sync_checkout(checkout, stripe_account.at)

    before.refresh_from_db()
    assert before.status == "canceled"
    assert Subscription.objects.live().get().seats.get().plan.code == "plus"


def buy_elsewhere(buyer: Buyer) -> Checkout:
    """A checkout that was begun while we knew of no subscription."""
    Subscription.objects.update(ended_at=buyer.account.at)
    checkout = buy_seats(
        team=buyer.team, seats={"plus": 1}, interval="month", at=buyer.account.at, by=buyer.user
    )
    Subscription.objects.update(ended_at=None)
    return checkout


def test_a_second_subscription_is_refused_in_words_and_left_to_people(
    stripe_account: StripeAccount, client: Client
) -> None:
    buyer = Buyer(stripe_account)
    buyer.subscribe({"max": 1})
    checkout = buy_elsewhere(buyer)
    client.force_login(buyer.user)
    stripe_account.pay(checkout.url)

    with pytest.raises(AlreadySubscribed, match="one of them must end"):
        sync_checkout(checkout, stripe_account.at)
    page = client.get(reverse("team-checkout", args=[buyer.team.slug, checkout.pk]))

    assert page.status_code == 200
    assert "Please contact us, so that we can resolve it." in page.content.decode()
    assert [row.status for row in Subscription.objects.all()] == ["active"]
    assert buyer.plans() == ["max"]


def test_a_second_subscription_that_has_ended_is_kept_for_the_books(stripe_account: StripeAccount) -> None:
    buyer = Buyer(stripe_account)
    buyer.subscribe({"max": 1})
    row = Subscription.objects.get()
    snapshot = stripe_api.subscription(row.stripe_id)
    over = replace(snapshot, id="sub_second", status="canceled", ended_at=stripe_account.at)
    over = replace(over, items=tuple(replace(item, id="si_second") for item in over.items))

    apply_fetched_subscription(answered(over), stripe_account.at + DAY)

    assert buyer.plans() == ["max"]
    assert {row.status for row in Subscription.objects.all()} == {"active", "canceled"}
