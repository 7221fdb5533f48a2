"""Buying the first seats, and the return from the payment page: right whether or not the webhook has come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from billing.models import Checkout, CreditPurchase, Promotion, StripeEvent, Subscription
from billing.sync.checkouts import sync_checkout
from billing.workflows.checkouts import buy_credits
from teams.models import Team, User
from tests.helpers.buyer import Buyer
from tests.helpers.factories import T0, make_team, make_user, owner_of
from tests.helpers.promotions import make_code
from tests.helpers.reading import read, words
from tests.helpers.stripe_account import AUTHENTICATES, COMES_LATER, DECLINED, FAILS_LATER, StripeAccount

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
DAY = timedelta(days=1)
WORDS = {"en": {"title": "A fifth less", "description": "Until the summer."}}
MAX = {"interval": "month", "seats_plus": "0", "seats_max": "1", "seats_ultra": "0"}


@pytest.fixture
def buyer(at_t0: None, stripe_account: StripeAccount) -> Buyer:
    return Buyer(stripe_account)


def subscribe(client: Client, team: Team, **fields: str) -> Checkout:
    """Posts the form and gives the checkout session that it leads to."""
    answer = client.post(f"/teams/{team.slug}/billing/subscribe/", fields or MAX)
    assert answer.status_code == 302, words(answer)
    checkout = Checkout.objects.for_team(team).filter(state="open").get()
    assert answer.headers["Location"] == checkout.url
    return checkout


def back(checkout: Checkout) -> str:
    return f"/teams/{checkout.team.slug}/billing/checkouts/{checkout.pk}/"


def test_who_pays_comes_back_to_seats_before_any_webhook(as_user: AsUser, buyer: Buyer) -> None:
    client = as_user(buyer.user)
    checkout = subscribe(client, buyer.team, **MAX | {"seats_plus": "2"})

    returned = buyer.account.pay(checkout.url)
    page = read(client, back(checkout))

    assert returned.endswith(back(checkout))
    assert page.startswith("Paid, thank you 2 × Plus, 1 × Max, paid monthly")
    assert (
        "The Team now has: 2 Plus seats, 1 Max seat. The Owner and the Admins can give them to members"
        in page
    )
    assert "Give out seats" in page
    assert not StripeEvent.objects.exists()
    assert buyer.plans() == ["plus", "plus", "max"]
    assert buyer.charges() == [9_000]

    buyer.account.deliver()
    assert buyer.plans() == ["plus", "plus", "max"]
    assert read(client, back(checkout)) == page


def test_the_webhook_may_come_first(as_user: AsUser, buyer: Buyer) -> None:
    client = as_user(buyer.user)
    checkout = subscribe(client, buyer.team)

    buyer.account.pay(checkout.url)
    buyer.account.deliver()

    assert buyer.plans() == ["max"]
    assert "The Team now has: 1 Max seat." in read(client, back(checkout))


def test_in_a_default_team_the_seat_is_the_owners_and_the_way_to_the_key_is_shown(
    as_user: AsUser, buyer: Buyer
) -> None:
    ada = make_user("ada@example.com")
    team = Team.objects.get(default_for=ada)
    client = as_user(ada)
    checkout = subscribe(client, team, interval="year", plan="max")

    buyer.account.pay(checkout.url)
    page = client.get(back(checkout))

    assert "Your seat works now, with the key you already have." in words(page)
    assert f'href="/account/keys/{team.slug}/">Show my key</a>' in page.content.decode()
    assert Buyer(buyer.account, team).charges() == [50_000]
    assert Subscription.objects.get(team=team).interval == "year"


def test_who_leaves_the_payment_page_may_go_on_or_give_it_up(as_user: AsUser, buyer: Buyer) -> None:
    client = as_user(buyer.user)
    checkout = subscribe(client, buyer.team)

    page = client.get(back(checkout))
    assert "Not paid yet" in words(page)
    assert f'href="{checkout.url}">Continue to payment</a>' in page.content.decode()
    assert "You chose 1 × Max, paid monthly, and have not paid yet." in read(
        client, f"/teams/{buyer.team.slug}/billing/"
    )

    given_up = words(client.post(f"{back(checkout)}leave/", follow=True))
    assert "Canceled. Nothing was charged." in given_up
    assert "Not paid 1 × Max, paid monthly The payment page was closed or has expired." in given_up
    assert buyer.charges() == []
    assert subscribe(client, buyer.team).pk != checkout.pk


def test_the_same_choice_leads_to_the_same_page_another_one_ends_it(as_user: AsUser, buyer: Buyer) -> None:
    client = as_user(buyer.user)
    first = subscribe(client, buyer.team)
    assert subscribe(client, buyer.team).pk == first.pk

    second = subscribe(client, buyer.team, **MAX | {"seats_max": "2"})

    first.refresh_from_db()
    assert (first.state, second.state) == ("expired", "open")
    assert "expired" in buyer.account.pay(first.url) or buyer.charges() == []
    buyer.account.pay(second.url)
    assert "The Team now has: 2 Max seats." in read(client, back(second))


def test_after_paying_in_one_tab_the_other_tab_buys_nothing(as_user: AsUser, buyer: Buyer) -> None:
    client = as_user(buyer.user)
    checkout = subscribe(client, buyer.team)
    buyer.account.pay(checkout.url)

    late = client.post(f"/teams/{buyer.team.slug}/billing/subscribe/", MAX | {"seats_max": "2"})

    # The first checkout session cannot be ended any more: it was paid. So there is no second one.
    assert late.status_code == 422
    assert "The payment page was just used; look at the result first." in words(late)
    again = client.post(f"/teams/{buyer.team.slug}/billing/subscribe/", MAX, follow=True)
    assert "This Team has a subscription already." in words(again)
    assert Subscription.objects.count() == 1
    assert buyer.charges() == [5_000]


def test_a_declined_card_buys_nothing_and_another_one_does(as_user: AsUser, buyer: Buyer) -> None:
    client = as_user(buyer.user)
    checkout = subscribe(client, buyer.team)

    buyer.account.pay(checkout.url, DECLINED)
    assert "Not paid yet" in read(client, back(checkout))
    assert buyer.plans() == []

    buyer.account.pay(checkout.url)
    assert "Paid, thank you" in read(client, back(checkout))
    assert buyer.charges() == [5_000]


def test_a_card_that_wants_authentication(as_user: AsUser, buyer: Buyer) -> None:
    client = as_user(buyer.user)
    checkout = subscribe(client, buyer.team)

    buyer.account.pay(checkout.url, AUTHENTICATES, authentication="fail")
    assert "Not paid yet" in read(client, back(checkout))
    buyer.account.pay(checkout.url, AUTHENTICATES)

    assert "Paid, thank you" in read(client, back(checkout))
    assert buyer.plans() == ["max"]


def test_a_payment_that_comes_later_is_under_way_until_then(as_user: AsUser, buyer: Buyer) -> None:
    client = as_user(buyer.user)
    checkout = subscribe(client, buyer.team)
    buyer.account.allow_debits(checkout.url)
    buyer.account.pay(checkout.url, COMES_LATER)

    page = client.get(back(checkout))
    assert "Your payment is in progress" in words(page)
    assert 'hx-trigger="every 3s"' in page.content.decode()
    assert buyer.plans() == []
    overview = read(client, f"/teams/{buyer.team.slug}/billing/")
    assert "The payment for 1 × Max, paid monthly is in progress." in overview
    assert "Active" not in overview

    with buyer.later(7 * DAY):
        page = client.get(back(checkout))
        assert "Paid, thank you" in words(page)
        assert "hx-trigger" not in page.content.decode()
        assert buyer.plans() == ["max"]


@pytest.mark.slow
def test_a_payment_that_fails_later_buys_nothing_and_one_may_choose_again(
    as_user: AsUser, buyer: Buyer
) -> None:
    client = as_user(buyer.user)
    checkout = subscribe(client, buyer.team)
    buyer.account.allow_debits(checkout.url)
    buyer.account.pay(checkout.url, FAILS_LATER)
    assert "Your payment is in progress" in read(client, back(checkout))

    with buyer.later(7 * DAY):
        assert "The payment failed 1 × Max, paid monthly" in read(client, back(checkout))
        assert buyer.plans() == []
        assert not Subscription.objects.live().exists()
        second = subscribe(client, buyer.team)
        buyer.account.pay(second.url)
        assert "Paid, thank you" in read(client, back(second))
        assert buyer.charges() == [5_000]


def test_credits_come_back_to_the_same_page(as_user: AsUser, buyer: Buyer) -> None:
    client = as_user(buyer.user)
    checkout = buy_credits(team=buyer.team, packs=2, at=T0, by=buyer.user)
    assert "Not paid yet 10,000 Credits" in read(client, back(checkout))

    buyer.account.pay(checkout.url)

    page = read(client, back(checkout))
    assert (
        "Paid, thank you 10,000 Credits The Team has 10,000 Credits more, which can be used until 3 Jun 2027"
        in page
    )
    assert CreditPurchase.objects.get().state == "paid"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (MAX | {"seats_max": "0"}, "Choose from 1 to 1000 seats."),
        (MAX | {"seats_max": "-1"}, "Ensure this value is greater than or equal to 0."),
        (MAX | {"seats_max": "1000", "seats_plus": "1"}, "Choose from 1 to 1000 seats."),
        (MAX | {"interval": "week"}, "Select a valid choice."),
    ],
)
def test_a_choice_that_cannot_be_is_refused_and_kept_in_the_form(
    as_user: AsUser, buyer: Buyer, fields: dict[str, str], said: str
) -> None:
    page = as_user(buyer.user).post(f"/teams/{buyer.team.slug}/billing/subscribe/", fields)

    assert page.status_code == 422
    assert said in words(page)
    assert not Checkout.objects.exists()


def test_another_teams_payment_is_not_there(as_user: AsUser, buyer: Buyer) -> None:
    checkout = subscribe(as_user(buyer.user), buyer.team)
    other = make_team()
    client = as_user(owner_of(other).user)

    assert client.get(f"/teams/{other.slug}/billing/checkouts/{checkout.pk}/").status_code == 404
    assert client.post(f"/teams/{other.slug}/billing/checkouts/{checkout.pk}/leave/").status_code == 404
    checkout.refresh_from_db()
    assert checkout.state == "open"


def test_cards_and_invoices_lead_to_stripes_page_and_back(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"max": 1})

    answer = as_user(buyer.user).post(f"/teams/{buyer.team.slug}/billing/portal/")

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(buyer.account.url)


def test_forms_may_lead_to_stripes_pages_and_nowhere_else(as_user: AsUser, buyer: Buyer) -> None:
    policy = as_user(buyer.user).get(f"/teams/{buyer.team.slug}/billing/").headers["Content-Security-Policy"]

    assert f"form-action 'self' {buyer.account.url}" in policy


def test_a_code_on_the_subscribe_page_is_shown_with_its_money_and_paid_so(
    as_user: AsUser, buyer: Buyer
) -> None:
    make_code("HALF", percent_hundredths=5_000)
    client = as_user(buyer.user)
    url = f"/teams/{buyer.team.slug}/billing/subscribe/"

    shown = words(client.get(url, {**MAX, "promotion_code": "half"}))
    assert "Discounts, tax and your balance -$25.00 Due now $25.00" in shown
    subscribe(client, buyer.team, **MAX, promotion_code="half")
    buyer.account.pay(Checkout.objects.get().url)
    sync_checkout(Checkout.objects.get(), T0)

    assert buyer.charges() == [2_500]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("NONE", "There is no such promotion code."),
        ("PACKS", "This promotion code is for Credits."),
        ("ENDED", "This promotion is over."),
    ],
)
def test_a_code_that_is_not_taken_is_refused_at_its_field(
    as_user: AsUser, buyer: Buyer, code: str, why: str
) -> None:
    make_code("PACKS", scope="credits")
    make_code("ENDED", at=T0 - 2 * DAY, max_redemptions=1)
    Promotion.objects.filter(code="ENDED").update(times_redeemed=1, active=False)
    client = as_user(buyer.user)
    url = f"/teams/{buyer.team.slug}/billing/subscribe/"

    assert why in words(client.get(url, {**MAX, "promotion_code": code}))
    answer = client.post(url, {**MAX, "promotion_code": code})

    assert answer.status_code == 422
    assert f"> Promotion code: {why} Seats are paid by card" in words(answer)
    assert not Checkout.objects.exists()


def test_credits_are_shown_with_their_prices_after_the_code(as_user: AsUser, buyer: Buyer) -> None:
    make_code("FIFTH", scope="credits", percent_hundredths=2_000, words=WORDS)
    client = as_user(buyer.user)
    url = f"/teams/{buyer.team.slug}/credits/buy/"

    page = words(client.get(url, {"promotion_code": "fifth", "credits": "50000"}))
    assert "A fifth less Until the summer." in page
    for part in ("$5.00 Buy for $4.00", "$100.00 Buy for $80.00", "50,000 Credits $50.00 Buy for $40.00"):
        assert part in page
    assert "There is no such promotion code." in words(client.get(url, {"promotion_code": "sixth"}))

    assert client.post(url, {"credits": "5000", "promotion_code": "FIFTH"}).status_code == 302
    buyer.account.pay(Checkout.objects.get().url)
    buyer.account.deliver()
    assert buyer.charges() == [400]
    again = client.post(url, {"credits": "5000", "promotion_code": "FIFTH"})
    assert again.status_code == 422
    assert "The Team has used this promotion code already." in words(again)


@pytest.mark.parametrize(
    ("credits", "why"),
    [
        ("7500", "Credits are sold in multiples of 5,000."),
        ("1", "Credits are sold in multiples of 5,000."),
        ("-5000", "Buy from 5,000 to 1,000,000 Credits at once, in multiples of 5,000."),
        ("0", "Buy from 5,000 to 1,000,000 Credits at once, in multiples of 5,000."),
    ],
)
def test_an_amount_that_is_not_sold_is_said_at_it_and_the_code_stays(
    as_user: AsUser, buyer: Buyer, credits: str, why: str
) -> None:
    make_code("FIFTH", scope="credits", percent_hundredths=2_000)
    url = f"/teams/{buyer.team.slug}/credits/buy/"
    answer = as_user(buyer.user).get(url, {"promotion_code": "FIFTH", "credits": credits})
    page, html = words(answer), answer.content.decode()
    assert f"Another amount Show its price {why}" in page
    assert page.count(why) == 1
    assert "$5.00 Buy for $4.00" in page
    assert page.count("Buy for") == 3
    assert f'value="{credits}"' in html


def test_a_code_that_was_typed_counts_for_the_button_that_is_pressed(as_user: AsUser, buyer: Buyer) -> None:
    make_code("FIFTH", scope="credits", percent_hundredths=2_000)
    client, url = as_user(buyer.user), f"/teams/{buyer.team.slug}/credits/buy/"
    page = client.get(url)
    form = (
        page.content.decode().partition("<main")[2].partition('<form class="buy"')[2].partition("</form>")[0]
    )
    for part in ('name="promotion_code"', 'name="pack" value="25000"', 'name="credits"', 'id="buy"'):
        assert part in form

    refused = client.post(url, {"promotion_code": "sixth", "credits": "", "pack": "25000"})
    assert refused.status_code == 422
    assert words(refused).count("There is no such promotion code.") == 1
    assert not Checkout.objects.exists()

    answer = client.post(url, {"promotion_code": "fifth", "credits": "", "pack": "25000"})
    assert answer.status_code == 302, words(answer)
    buyer.account.pay(Checkout.objects.get().url)
    buyer.account.deliver()
    assert buyer.charges() == [2_000]


def test_prices_are_asked_for_without_buying(as_user: AsUser, buyer: Buyer) -> None:
    url = f"/teams/{buyer.team.slug}/credits/buy/"
    typed = {"promotion_code": "", "credits": "50000", "show": "1"}
    page = as_user(buyer.user).post(url, typed, follow=True)
    assert page.redirect_chain == [(f"{url}?promotion_code=&credits=50000", 302)]
    assert "50,000 Credits Buy for $50.00" in words(page)
    assert not Checkout.objects.exists()
