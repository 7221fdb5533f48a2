"""Credits in a real browser: bought with a test card, used up, topped up by the sweep, and told by mail."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from billing.models import CreditPurchase
from billing.tasks import top_up
from teams.models import Team
from teams.services import mail as mailer
from tests.helpers.browsing import PASSWORD, arrive, confirm_password, last_link, overhang, path_of, pay
from tests.helpers.factories import (
    allow_credits,
    make_desk,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.stripe_account import DECLINED_LATER, StripeAccount

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PARTS = ("", "buy/", "auto-top-up/", "purchases/")


@pytest.fixture
def team(account: StripeAccount) -> Team:
    """Its Owner may use Credits and holds no seat."""
    at = timezone.now()
    use_test_rate_card(at=at - timedelta(days=1))
    team = make_team("Acme", owner=make_user("ada@example.com", password=PASSWORD, at=at), at=at)
    allow_credits(owner_of(team), at=at)
    return team


@pytest.mark.slow
def test_credits_are_bought_used_up_and_topped_up_by_themselves(
    browser_page: Page, live_server: LiveServer, team: Team
) -> None:
    page, url = browser_page, live_server.url
    arrive(page, url, owner_of(team).user)
    page.goto(f"{url}/teams/acme/credits/")
    page.get_by_role("link", name="Buy Credits").first.click()
    amount = page.get_by_label("Another amount")
    amount.fill("7500")
    expect(page.get_by_role("button", name="Buy", exact=True)).to_be_visible()
    amount.fill("10000")
    page.get_by_role("button", name="Buy for $10.00").click()
    expect(page.get_by_role("heading", name=re.compile(r"\$10\.00"))).to_be_visible()
    pay(page)
    expect(page.get_by_role("main")).to_contain_text(
        "The Team has 10,000 Credits more, which can be used until"
    )
    page.get_by_role("main").get_by_role("link", name="Credits", exact=True).click()
    balance = page.get_by_role("region", name="Balance")
    expect(balance).to_contain_text("10,000 $10.00")

    page.get_by_role("link", name="Auto top-up").click()
    now = page.get_by_role("region", name="Now")
    expect(now).to_contain_text("Visa ···· 4242")
    page.get_by_label("Buy Credits automatically").check()
    page.get_by_label("At most, a calendar month").fill("50,000")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("Auto top-up is on")

    # 10 Credits a call.
    make_desk(owner_of(team)).use(501, at=timezone.now())
    page.goto(f"{url}/teams/acme/credits/")
    expect(balance).to_contain_text("4,990 $4.99")
    assert top_up() == 1
    page.reload()
    expect(balance).to_contain_text("29,990 $29.99")

    mailer.deliver_due(at=timezone.now())
    message = mail.outbox[-1]
    assert message.subject == "25,000 Credits were bought for Acme"
    page.goto(url + path_of(last_link()))
    rows = page.get_by_role("region", name="Purchases").first.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("25,000 $25.00 Paid Auto top-up")
    expect(rows.nth(2)).to_contain_text("10,000 $10.00 Paid Bought")
    rows.nth(1).get_by_role("link").click()
    expect(page.get_by_text("$25.00").first).to_be_visible()


@pytest.mark.slow
def test_a_card_that_stops_working_is_mailed_and_changed_on_stripes_page(
    browser_page: Page, live_server: LiveServer, account: StripeAccount, team: Team
) -> None:
    page, url = browser_page, live_server.url
    arrive(page, url, owner_of(team).user)
    page.goto(f"{url}/teams/acme/credits/auto-top-up/")
    page.get_by_role("button", name="Add a card").click()
    confirm_password(page)
    page.wait_for_url(re.compile("^(?!.*/reauthenticate/)"))
    page.goto(f"{url}/teams/acme/credits/auto-top-up/")
    page.get_by_role("button", name="Add a card").click()
    page.get_by_label("Card number").fill(DECLINED_LATER)
    page.get_by_role("button", name=re.compile("card", re.IGNORECASE)).first.click()
    account.deliver()
    page.goto(f"{url}/teams/acme/credits/auto-top-up/")
    expect(page.get_by_role("region", name="Now")).to_contain_text("Visa ···· 0341")
    page.get_by_label("Buy Credits automatically").check()
    page.get_by_role("button", name="Save").click()

    assert top_up() == 0

    page.reload()
    expect(page.get_by_role("status")).to_contain_text("The last payment failed.")
    failed = page.get_by_role("region", name="Failed payments this month")
    expect(failed).to_contain_text("25,000 Credits for $25.00")
    expect(failed).to_contain_text("Your card was declined.")
    assert CreditPurchase.objects.get().state == "failed"


@pytest.mark.slow
def test_a_page_that_was_left_is_gone_on_with_or_given_up(
    browser_page: Page, live_server: LiveServer, team: Team
) -> None:
    page, url = browser_page, live_server.url
    arrive(page, url, owner_of(team).user)
    page.goto(f"{url}/teams/acme/credits/buy/")
    page.get_by_role("button", name="Buy for $25.00").click()
    expect(page.get_by_role("heading", name=re.compile(r"\$25\.00"))).to_be_visible()
    page.goto(f"{url}/teams/acme/credits/buy/")
    expect(page.get_by_role("status")).to_contain_text("You chose 25,000 Credits, and have not paid yet.")

    page.get_by_role("button", name="Cancel this purchase").click()

    expect(page.locator("#toasts")).to_contain_text("Canceled. Nothing was charged.")
    page.goto(f"{url}/teams/acme/credits/purchases/")
    expect(page.get_by_role("region", name="Purchases").first).to_contain_text("Not paid")
    assert CreditPurchase.objects.get().state == "failed"


@pytest.mark.slow
def test_the_pages_of_credits_fit_a_phone(browser_page: Page, live_server: LiveServer, team: Team) -> None:
    page, url = browser_page, live_server.url
    page.set_viewport_size({"width": 360, "height": 740})
    arrive(page, url, owner_of(team).user)
    page.goto(f"{url}/teams/acme/credits/buy/")
    page.get_by_role("button", name="Buy for $100.00").click()
    pay(page)
    expect(page.get_by_role("main")).to_contain_text("The Team has 100,000 Credits more")
    for part in PARTS:
        page.goto(f"{url}/teams/acme/credits/{part}")
        assert overhang(page) <= 0, part
