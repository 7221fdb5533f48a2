"""Whose window is full takes each way out by the keyboard alone. Credits that are asked for and bought:
`test_keyboard_journeys`; whoever waits has nothing to press.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.helpers.browsing import PASSWORD, arrive
from tests.helpers.factories import (
    Desk,
    make_gateway,
    owner_of,
)
from tests.helpers.keyboard import press, type_into, walk_to
from tests.helpers.stopped import bar_of, goes_on, stopped_buyer, stopped_member, stopped_owner
from tests.helpers.stripe_account import StripeAccount

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_a_higher_seat_is_asked_for_bought_and_assigned(
    browser_page: Page, live_server: LiveServer, account: StripeAccount
) -> None:
    page, url = browser_page, live_server.url
    main = page.get_by_role("main")
    team, _ = stopped_buyer(account)
    mia, desk = stopped_member(team)
    arrive(page, url, mia.user)
    press(page, bar_of(page, mia).get_by_role("link", name="Ask for a higher seat"))
    page.wait_for_url("**/seat-requests/**")
    walk_to(page, page.get_by_label("Plan"))
    page.keyboard.type("Max")
    press(page, page.get_by_role("button", name="Send the request"))
    page.wait_for_url(f"{url}/account/**")
    expect(bar_of(page, mia)).to_contain_text("Your request for a seat has not been answered yet.")

    page.context.clear_cookies()
    arrive(page, url, owner_of(team).user)
    page.goto(f"{url}/teams/acme/requests/")
    press(page, main.get_by_role("link", name="Buy a Max seat"))
    press(page, main.get_by_role("button", name="Confirm and pay"))
    expect(page.locator("#toasts")).to_contain_text("Done")
    page.goto(f"{url}/teams/acme/requests/")
    press(page, main.get_by_role("button", name="Assign this seat"))
    expect(main).to_contain_text("(Max) assigned by ann@example.com")
    assert goes_on(desk)


def test_the_owner_takes_a_higher_plan(
    browser_page: Page, live_server: LiveServer, account: StripeAccount
) -> None:
    page = browser_page
    team, desk = stopped_buyer(account)
    arrive(page, live_server.url, owner_of(team).user)
    press(page, bar_of(page, owner_of(team)).get_by_role("link", name="Change the plan"))
    walk_to(page, page.get_by_label("Plan to move to"))
    page.keyboard.type("Max")
    press(page, page.get_by_role("button", name="Move to this plan"))
    press(page, page.get_by_role("button", name="Confirm and pay"))
    expect(page.locator("#toasts")).to_contain_text("Done: Move seat")
    assert goes_on(desk)


def test_the_owner_buys_credits(browser_page: Page, live_server: LiveServer, account: StripeAccount) -> None:
    page = browser_page
    team, desk = stopped_buyer(account, credits=True)
    arrive(page, live_server.url, owner_of(team).user)
    press(page, bar_of(page, owner_of(team)).get_by_role("link", name="Buy Credits"))
    press(page, page.get_by_role("button", name="Buy for $25.00"))
    page.get_by_role("button", name="Pay with Visa").press("Enter")  # the payment service's page
    expect(page.get_by_role("main")).to_contain_text("The Team has 25,000 Credits more")
    assert goes_on(desk)


def test_the_owner_makes_an_api_key(browser_page: Page, live_server: LiveServer) -> None:
    page = browser_page
    ann, desk = stopped_owner()
    arrive(page, live_server.url, ann.user)
    press(page, bar_of(page, ann).get_by_role("link", name="API keys"))
    type_into(page, "Name", "batch")
    page.keyboard.press("Enter")
    type_into(page, "Password", PASSWORD)  # once more, before a key is shown
    page.keyboard.press("Enter")
    text = page.locator("#key").inner_text()
    assert text.startswith("sk-api-")
    assert not goes_on(desk)
    assert goes_on(Desk(make_gateway(), text))
