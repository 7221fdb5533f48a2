"""Inviting in a real browser: from one's link over a friend's first payment to the voucher for it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from teams.models import Team
from tests.helpers.browsing import arrive, overhang, pay, sign_up
from tests.helpers.factories import make_team
from tests.helpers.invites import MASTERCARD, make_campaign, make_person
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_a_friend_pays_less_by_a_link_and_its_owner_gets_a_voucher(
    browser_page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    page, url = browser_page, live_server.url
    make_campaign(account.at)
    inviter = make_person(account.at)
    Story(account, make_team("Inviters", owner=inviter)).subscribe(plus=1, card=MASTERCARD)
    account.deliver()

    arrive(page, url, inviter)
    page.goto(f"{url}/promotions/")
    page.get_by_role("button", name="Get my link").click()
    link = page.locator("#invite-link").inner_text()
    assert link.startswith(f"{url}/invite/")
    expect(page.get_by_role("main")).to_contain_text("0 people came by your link.")

    page.context.clear_cookies()
    page.goto(link)
    expect(page.get_by_role("heading", name="Invite a friend")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Sign up").click()
    sign_up(page, "friend@example.com")
    page.goto(f"{url}/plans/")
    page.get_by_role("link", name="Choose Max").click()
    total = page.get_by_role("region", name="What you pay")
    expect(total).to_contain_text("$45.00")
    page.get_by_role("button", name="Go to payment").click()
    expect(page.get_by_role("heading", name=re.compile(r"Subscribe \$45\.00"))).to_be_visible()
    pay(page)
    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible()
    account.deliver()

    page.context.clear_cookies()
    page.set_viewport_size({"width": 390, "height": 844})
    arrive(page, url, inviter)
    page.goto(f"{url}/promotions/")
    brought = "1 person came by your link. It brought 1 voucher, $4.50 in all."
    expect(page.get_by_role("main")).to_contain_text(brought)
    assert overhang(page) == 0
    own = Team.objects.get(default_for=inviter)
    page.goto(f"{url}/teams/{own.slug}/balance/")
    expect(page.get_by_role("main")).to_contain_text("$4.50")
