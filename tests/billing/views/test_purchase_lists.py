"""What was bought of Credits, and paid into the API balance: filtered, page by page, and as files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from billing.models import Checkout, CreditPurchase
from billing.services.checkouts import close_checkout
from billing.views.purchase_lists import PURCHASES_PAGE
from teams.models import Team, User
from tests.helpers.bought import begin_purchase, buy, say_checkout, say_payment
from tests.helpers.factories import T0, USD, make_team, owner_of
from tests.helpers.reading import lines, read
from tests.helpers.stripe_says import put_on_sale

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
DAY = timedelta(days=1)
CREDITS = "/teams/acme/credits/purchases/"
BALANCE = "/teams/acme/balance/purchases/"


@pytest.fixture
def team() -> Team:
    put_on_sale()
    return make_team("Acme")


@pytest.fixture
def client(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def give_up(team: Team, day: int) -> None:
    checkout = begin_purchase(team, at=T0 + day * DAY).checkout
    assert checkout is not None
    close_checkout(checkout=checkout, state=Checkout.State.EXPIRED, at=T0 + day * DAY)


def test_the_file_says_of_each_purchase_what_the_page_says(team: Team, client: Client) -> None:
    buy(team)
    refunded = CreditPurchase.objects.get()
    say_payment(team, refunded.payment_id, refunded_nanousd=2 * USD, dispute="open")
    give_up(team, 1)
    CreditPurchase.objects.filter(state="failed").update(reason="=1+1")
    waiting = begin_purchase(team, packs=2, at=T0 + 2 * DAY).checkout
    assert waiting is not None
    say_checkout(waiting, status="complete", payment_id="pi_slow")

    assert lines(client, f"{CREDITS}file/", "purchases-acme.csv") == [
        "When (UTC),Credits,Billed (USD),State,Refunded (USD),Dispute,Reason,How,Lot,Expires (UTC),"
        "Frozen (UTC),Invoice",
        "2026-06-05 10:02:00,10000.000,10.00,Payment in progress,,,,Bought,,,,",
        "2026-06-04 10:02:00,5000.000,5.00,Not paid,,,'=1+1,Bought,,,,",
        f"2026-06-03 10:02:00,5000.000,5.00,Paid,2.00,Disputed,,Bought,{refunded.lot_id},"
        f"2027-06-03 10:02:00,2026-06-03 10:02:00,A-{refunded.invoice_id}",
    ]


def test_the_file_of_the_api_balance_has_dollars(team: Team, client: Client) -> None:
    CreditPurchase.objects.create(
        account="balance", team=team, kind="top_up", amount_nanousd=1_005 * USD, created_at=T0
    )

    assert lines(client, f"{BALANCE}file/", "payments-into-api-balance-acme.csv") == [
        "When (UTC),Amount (USD),Billed (USD),State,Refunded (USD),Dispute,Reason,How,Lot,Expires (UTC),"
        "Frozen (UTC),Invoice",
        "2026-06-03 10:02:00,1005.00,1005.00,Not paid yet,,,,Auto top-up,,,,",
    ]
    assert len(lines(client, f"{CREDITS}file/")) == 1


def test_purchases_are_filtered_by_state_and_day_on_the_page_and_in_the_file(
    team: Team, client: Client
) -> None:
    buy(team)
    give_up(team, 1)
    begin_purchase(team, packs=2, at=T0 + 2 * DAY)
    paid, left, waiting = "3 Jun 2026", "4 Jun 2026", "5 Jun 2026"
    for asked, found in {
        "": [waiting, left, paid],
        "?state=paid": [paid],
        "?state=failed&start=": [left],
        "?state=waiting": [waiting],
        "?start=2026-06-04&end=2026-06-04": [left],
        "?end=2026-06-03&state=failed": [],
        "?state=gone&start=x": [waiting, left, paid],
    }.items():
        page = read(client, CREDITS + asked)
        assert [day for day in (waiting, left, paid) if f"{day}, " in page] == found, asked
        assert len(lines(client, f"{CREDITS}file/{asked}")) == 1 + len(found), asked
    assert "Nothing is found. Show all" in read(client, f"{CREDITS}?end=2026-06-02")


def test_older_purchases_and_the_file_keep_what_is_asked_for(team: Team, client: Client) -> None:
    for number in range(PURCHASES_PAGE + 1):
        CreditPurchase.objects.create(
            account="balance",
            team=team,
            kind="pack",
            state="failed",
            amount_nanousd=5 * USD,
            created_at=T0 - number * DAY,
        )

    html = client.get(f"{BALANCE}?state=failed").content.decode()

    assert f'href="{BALANCE}file/?state=failed"' in html
    assert 'href="?state=failed&amp;before=2026-05-10T10%3A02%3A00%2B00%3A00~' in html
    assert f'hx-get="{BALANCE}"' in html
    assert len(lines(client, f"{BALANCE}file/?state=failed")) == PURCHASES_PAGE + 2
