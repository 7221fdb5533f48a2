"""The page of the API balance, and when to warn."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from quota.models import TeamCredits
from quota.services.balance import add_to_balance, give_voucher
from teams.models import Team
from tests.helpers.factories import T0, USD, give_credits, make_team, owner_of
from tests.helpers.reading import read

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def client(team: Team) -> Client:
    client = Client()
    client.force_login(owner_of(team).user)
    return client


def test_an_empty_balance_says_what_that_means(team: Team, client: Client) -> None:
    give_credits(team, USD)

    page = read(client, f"/teams/{team.slug}/balance/")

    assert "Calls with API keys are refused until the balance is topped up." in page
    assert "is below" not in page


def test_cash_and_vouchers_are_shown_apart_in_the_order_of_drawing(team: Team, client: Client) -> None:
    add_to_balance(team=team, nanousd=5 * USD, source="pi", cause="Bought", at=T0, by=None)
    end = T0 + timedelta(days=90)
    give_voucher(team=team, nanousd=USD, expires_at=end, source="v", reason="Welcome", at=T0, by=None)
    with time_machine.travel(T0, tick=False):
        page = read(client, f"/teams/{team.slug}/balance/")

    assert "$6.00" in page and "$5.00 bought, $1.00 in vouchers" in page
    lots = page.partition("Lots, in the order they are used")[2].partition("Ledger")[0]
    assert lots.index("Voucher") < lots.index("Never")
    assert "Welcome" in page and "Bought" in page


def test_the_warning_is_set_and_shown(team: Team, client: Client) -> None:
    add_to_balance(team=team, nanousd=5 * USD, source="pi", cause="Bought", at=T0, by=None)
    url = f"/teams/{team.slug}/balance/alert/"
    client.post(url, {"enabled": "on", "low_balance_nanousd": "7.5"})

    rules = TeamCredits.objects.get(team=team)
    assert (rules.warns_of_balance, rules.low_api_balance_nanousd) == (True, 7_500_000_000)
    assert "The balance is below $7.50." in read(client, f"/teams/{team.slug}/balance/")
    client.post(url, {"low_balance_nanousd": "7.5"})
    assert "is below" not in read(client, f"/teams/{team.slug}/balance/")
    assert client.post(url, {"low_balance_nanousd": "-1"}).status_code == 422
