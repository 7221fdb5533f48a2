"""Buying Credits, from our own rows: packs, prices and purchases. Stripe is away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from billing.models import Checkout, CreditPurchase
from billing.services.checkouts import close_checkout
from quota.models import CreditGrant
from teams.models import Team, User
from tests.helpers.bought import begin_purchase, buy, pay, say_payment
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    give_credits,
    make_desk,
    make_member,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.reading import read, words
from tests.helpers.stripe_says import put_on_sale

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


@pytest.fixture
def team() -> Team:
    put_on_sale()
    return make_team("Acme")


@pytest.fixture
def client(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def test_packs_have_their_exact_price_and_their_end(team: Team, client: Client) -> None:
    give_credits(team, 1_250 * CREDIT)

    page = read(client, "/teams/acme/credits/buy/")

    assert "Buy Credits Balance: 1,250" in page
    assert "5,000 Credits Buy for $5.00 : 5,000 Credits" in page
    assert "25,000 Credits Buy for $25.00 : 25,000 Credits" in page
    assert "100,000 Credits Buy for $100.00 : 100,000 Credits" in page
    assert "Any multiple of 5,000 Credits up to 1,000,000. 5,000 Credits cost $5.00." in page
    assert "Credits that you buy today can be used until 3 Jun 2027: 365 days from the payment." in page


@pytest.mark.parametrize(
    ("credits", "why"),
    [
        ("7500", "Credits are sold in multiples of 5,000."),
        ("0.5", "Credits are sold in multiples of 5,000."),
        ("0", "Buy from 5,000 to 1,000,000 Credits at once, in multiples of 5,000."),
        ("-5000", "Buy from 5,000 to 1,000,000 Credits at once, in multiples of 5,000."),
        ("1005000", "Buy from 5,000 to 1,000,000 Credits at once, in multiples of 5,000."),
        ("ten", "Give a number of Credits with at most 6 decimals."),
        ("", "This field is required."),
    ],
)
def test_an_amount_that_is_not_sold_is_refused_and_nothing_is_begun(
    client: Client, credits: str, why: str
) -> None:
    answer = client.post("/teams/acme/credits/buy/", {"credits": credits})

    assert answer.status_code == 422
    assert why in words(answer)
    assert not Checkout.objects.exists()
    assert not CreditPurchase.objects.exists()


def test_while_their_price_is_not_published_credits_are_not_sold(client: Client) -> None:
    answer = client.post("/teams/acme/credits/buy/", {"credits": "5000"})

    assert answer.status_code == 422
    assert "The payment service does not sell Credits yet; an operator must publish the price." in words(
        answer
    )
    assert not Checkout.objects.exists()


def owing(team: Team) -> None:
    """A member used 140 Credits that nothing covered."""
    use_test_rate_card()
    desk = make_desk(make_member(team, credits=True))
    give_credits(team, 10 * CREDIT)
    desk.settle(desk.ask(1), 15)


@pytest.mark.parametrize("part", ["", "buy/"])
def test_what_the_team_owes_is_said(team: Team, client: Client, part: str) -> None:
    sentence = "used 140 Credits ($0.14) more than was paid for. The next Credits of the Team pay that first."
    assert sentence not in read(client, f"/teams/acme/credits/{part}")
    owing(team)
    assert sentence in read(client, f"/teams/acme/credits/{part}")


def test_after_the_payment_what_was_owed_is_not_called_more_credits(team: Team, client: Client) -> None:
    owing(team)
    purchase = begin_purchase(team)
    pay(purchase)

    page = read(client, f"/teams/acme/billing/checkouts/{purchase.checkout_id}/")

    assert "140 of the 5,000 Credits have paid for usage that the Team owed. " in page
    assert "The Team has 4,860 Credits more, which can be used until " in page


def test_an_open_payment_page_is_offered_again(team: Team, client: Client) -> None:
    checkout = begin_purchase(team, packs=5).checkout
    assert checkout is not None

    page = client.get("/teams/acme/credits/buy/")

    assert "You chose 25,000 Credits, and have not paid yet. Continue to payment" in words(page)
    assert checkout.url in page.content.decode()


def test_purchases_say_what_became_of_each_and_link_its_invoice(team: Team, client: Client) -> None:
    for number, packs in enumerate((1, 5, 20)):
        buy(team, packs=packs, at=T0 + timedelta(minutes=number))
    refunded, disputed, kept = CreditPurchase.objects.order_by("created_at")
    say_payment(team, refunded.payment_id, refunded_nanousd=2 * USD)
    say_payment(team, disputed.payment_id, packs=5, dispute="open")
    left = begin_purchase(team, at=T0 + timedelta(hours=1))
    assert left.checkout is not None
    give_up(left.checkout)
    begin_purchase(team, packs=2, at=T0 + timedelta(hours=2))

    answer = client.get("/teams/acme/credits/purchases/")
    page = words(answer)

    assert (
        "3 Jun 2026, 12:02 10,000 $10.00 Not paid yet Bought – Continue to payment "
        "3 Jun 2026, 11:02 5,000 $5.00 Not paid The payment page was left. Bought – – "
        f"3 Jun 2026, 10:04 100,000 $100.00 Paid Bought {kept.lot_id}, until 3 Jun 2027 "
        f"A-{kept.invoice_id} "
        f"3 Jun 2026, 10:03 25,000 $25.00 Paid Disputed Bought {disputed.lot_id}, until 3 Jun 2027 "
        f"Frozen A-{disputed.invoice_id} 3 Jun 2026, 10:02 5,000 $5.00 Paid $2.00 refunded"
    ) in page
    assert f'href="https://invoice.stripe.com/i/{kept.invoice_id}"' in answer.content.decode()


def give_up(checkout: Checkout) -> None:
    close_checkout(checkout=checkout, state=Checkout.State.EXPIRED, at=T0)


def test_a_frozen_lot_says_why(team: Team, client: Client) -> None:
    payment = buy(team)
    say_payment(team, payment.stripe_id, dispute="open")

    page = read(client, "/teams/acme/credits/")

    assert "Frozen Its payment has been disputed since 3 Jun 2026. Nothing is drawn from this lot" in page
    assert CreditGrant.objects.get().frozen_at == T0


def test_only_the_owner_is_shown_the_way_to_buy(team: Team, client: Client, as_user: AsUser) -> None:
    admin = make_member(team, role="admin").user
    assert "Buy Credits" in read(client, "/teams/acme/credits/")
    assert "Buy Credits" not in read(as_user(admin), "/teams/acme/credits/")


def test_the_pages_are_kept_by_no_cache(client: Client) -> None:
    for part in ("buy", "auto-top-up", "purchases"):
        assert "no-store" in client.get(f"/teams/acme/credits/{part}/").headers["Cache-Control"]


def test_a_default_team_buys_for_itself(as_user: AsUser) -> None:
    user = make_user()
    page = read(as_user(user), f"/teams/{user.default_team.slug}/credits/buy/")
    assert "Buy for $5.00" in page


def test_without_a_purchase_the_page_leads_to_the_first(team: Team, client: Client) -> None:
    assert "No purchases yet. Buy Credits" in read(client, "/teams/acme/credits/purchases/")
    assert "No payments yet. Top up" in read(client, "/teams/acme/balance/purchases/")
