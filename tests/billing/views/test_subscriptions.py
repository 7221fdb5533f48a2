"""The page that seats are chosen on says what they cost, why it cannot say so, and what they are paid by."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.test import Client

from teams.models import User
from tests.helpers.buyer import Buyer
from tests.helpers.factories import make_team, owner_of
from tests.helpers.promotions import make_code
from tests.helpers.reading import read, words
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
MAX = {"interval": "month", "seats_plus": "0", "seats_max": "1", "seats_ultra": "0"}


@pytest.fixture
def buyer(at_t0: None, stripe_account: StripeAccount) -> Buyer:
    return Buyer(stripe_account)


def test_it_is_said_before_paying_that_seats_take_a_card_or_link(as_user: AsUser) -> None:
    put_on_sale()
    team = make_team()
    page = read(as_user(owner_of(team).user), f"/teams/{team.slug}/billing/subscribe/")
    assert "Seats are paid by card or Link. A bank account takes days, so it cannot pay for seats" in page


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"seats_max": "0"}, "Choose at least one seat."),
        ({"seats_max": ""}, "Seats of Max: This field is required."),
        ({"seats_max": "-1"}, "Seats of Max: Ensure this value is greater than or equal to 0."),
        ({"interval": "week"}, "Pay: Select a valid choice. week is not one of the available choices."),
    ],
)
def test_where_there_is_no_total_its_place_says_why(
    as_user: AsUser, buyer: Buyer, wrong: dict[str, str], why: str
) -> None:
    page = read(as_user(buyer.user), f"/teams/{buyer.team.slug}/billing/subscribe/?{urlencode(MAX | wrong)}")
    assert f"> {why} Seats are paid by card" in page


@pytest.mark.parametrize(
    ("duration", "then"),
    [
        ("once", "Due now $25.00 Then $50.00 every month."),
        (
            "forever",
            "Due now $25.00 The code lowers later invoices too, for as long as it lasts; "
            "without it they are $50.00 every month.",
        ),
    ],
)
def test_with_a_code_it_is_said_what_follows(as_user: AsUser, buyer: Buyer, duration: str, then: str) -> None:
    make_code("HALF", percent_hundredths=5_000, duration=duration)
    client, url = as_user(buyer.user), f"/teams/{buyer.team.slug}/billing/subscribe/"
    assert then in words(client.get(url, {**MAX, "promotion_code": "half"}))
    yearly = words(client.get(url, {**MAX, "interval": "year", "promotion_code": "half"}))
    assert "$500.00 every year." in yearly


def test_a_plan_that_was_chosen_is_still_chosen_where_the_subscription_is_changed(as_user: AsUser) -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"plus": 1})
    client, url = as_user(owner_of(bill.team).user), f"/teams/{bill.team.slug}/billing/"
    answer = client.get(f"{url}subscribe/?plan=max&interval=year")
    assert (answer.status_code, answer["Location"]) == (302, f"{url}?plan=max")
    assert '<option value="max" selected>' in client.get(answer["Location"]).content.decode()
    assert client.get(f"{url}subscribe/")["Location"] == url
