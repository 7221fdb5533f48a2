"""Two clicks, two tabs, two requests at once: one page to pay at, one subscription, one answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing import stripe_api
from billing.errors import AlreadySubscribed
from billing.models import Checkout, Price, Subscription
from billing.services import checkouts
from billing.stripe_api.client import api
from billing.sync.checkouts import sync_checkout
from billing.sync.subscriptions import apply_fetched_subscription
from billing.workflows.checkouts import buy_seats, send_checkout
from billing.workflows.customers import ensure_customer
from tests.helpers.buyer import Buyer
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.stripe_says import answered

DAY = timedelta(days=1)


def two_clicks(buyer: Buyer) -> tuple[Checkout, Checkout]:
    """One visit as its first click wrote it, and as the second one read it, before Stripe was asked."""
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


def test_a_team_that_returns_does_not_wait_for_the_news_of_its_end(stripe_account: StripeAccount) -> None:
    buyer = Buyer(stripe_account)
    buyer.subscribe({"max": 1})
    before = Subscription.objects.get()
    visit = buy_elsewhere(buyer)
    stripe_api.end_subscription(before.stripe_id)
    stripe_account.pay(visit.url)

    sync_checkout(visit, stripe_account.at)

    before.refresh_from_db()
    assert before.status == "canceled"
    assert Subscription.objects.live().get().seats.get().plan.code == "plus"


def buy_elsewhere(buyer: Buyer) -> Checkout:
    """A visit that was begun while we knew of no subscription."""
    Subscription.objects.update(ended_at=buyer.account.at)
    visit = buy_seats(
        team=buyer.team, seats={"plus": 1}, interval="month", at=buyer.account.at, by=buyer.user
    )
    Subscription.objects.update(ended_at=None)
    return visit


def test_a_second_subscription_is_refused_in_words_and_left_to_people(
    stripe_account: StripeAccount, client: Client
) -> None:
    buyer = Buyer(stripe_account)
    buyer.subscribe({"max": 1})
    visit = buy_elsewhere(buyer)
    client.force_login(buyer.user)
    stripe_account.pay(visit.url)

    with pytest.raises(AlreadySubscribed, match="one of them must end"):
        sync_checkout(visit, stripe_account.at)
    page = client.get(reverse("team-checkout", args=[buyer.team.slug, visit.pk]))

    assert page.status_code == 200
    assert "somebody must see to it" in page.content.decode()
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
