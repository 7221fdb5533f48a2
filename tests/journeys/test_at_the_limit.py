"""Whose window is full, for whom no Credits pay: each way out, followed from the bar to its end."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from quota.models import CreditRequest
from teams.models import Role
from tests.helpers.browsing import another_window, arrive, confirm_password
from tests.helpers.factories import (
    CREDIT,
    Desk,
    give_credits,
    make_gateway,
    make_member,
    make_user,
    owner_of,
)
from tests.helpers.stopped import (
    STOPPED,
    bar_of,
    goes_on,
    stopped_buyer,
    stopped_member,
    stopped_owner,
    team_of_ann,
)
from tests.helpers.stripe_account import StripeAccount

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
POLLED = 4_500


def test_home_and_overview_say_until_when_one_is_stopped_and_name_the_same_ways_out(
    browser_page: Page, live_server: LiveServer
) -> None:
    page = browser_page
    mia, desk = stopped_member(team_of_ann())
    arrive(page, live_server.url, mia.user)
    for path in ("/account/", "/teams/acme/"):
        page.goto(f"{live_server.url}{path}")
        bar = bar_of(page, mia)
        expect(bar).to_contain_text(STOPPED)
        ways = bar.locator(".ways > li")
        expect(ways.locator("strong")).to_have_text(
            ["Credits", "A higher plan", "Pay as you go", "Wait"], use_inner_text=True
        )
        expect(ways.get_by_role("link")).to_have_text(
            ["Ask for Credits (Acme)", "Ask for a higher seat (Acme)"]
        )
        expect(ways.nth(2)).to_contain_text("Ask the Owner or an Admin for one.")
        expect(ways.nth(3)).to_contain_text("There is room again")
    assert not goes_on(desk)


def test_credits_that_were_asked_for_and_given_pay_and_the_bar_says_so_by_itself(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url = browser_page, live_server.url
    team = team_of_ann()
    give_credits(team, 10_000 * CREDIT, at=timezone.now())
    adam = make_member(team, make_user("adam@example.com"), role=Role.ADMIN)
    mia, desk = stopped_member(team)
    page.clock.install()
    arrive(page, url, mia.user)
    page.goto(f"{url}/teams/acme/")
    bar_of(page, mia).get_by_role("link", name="Ask for Credits").click()
    page.get_by_label("Credits a calendar month").fill("5,000")
    page.get_by_role("button", name="Send the request").click()
    expect(page.locator("#toasts")).to_contain_text("have your request.")
    page.goto(f"{url}/account/")
    bar = bar_of(page, mia)
    expect(bar).to_contain_text("Your request for Credits has not been answered yet.")
    expect(bar.get_by_role("link", name="Ask for Credits")).to_have_count(0)

    with another_window(page) as other:
        arrive(other, url, adam.user)
        other.goto(f"{url}/teams/acme/requests/")
        other.get_by_label("At most, a calendar month").fill("2,000")
        other.get_by_role("button", name="Give this access").click()
        expect(other.get_by_role("main")).to_contain_text("No open requests.")

    page.clock.run_for(POLLED)
    expect(bar).to_contain_text("calls are paid from Credits, of which 2,000 are left for you.")
    expect(bar).not_to_contain_text("Stopped until")
    assert goes_on(desk)
    assert CreditRequest.objects.get().granted


def test_a_higher_seat_is_asked_for_from_the_bar_and_bought_and_given(
    browser_page: Page, live_server: LiveServer, account: StripeAccount
) -> None:
    page, url = browser_page, live_server.url
    team, _ = stopped_buyer(account)
    mia, desk = stopped_member(team)
    page.clock.install()
    arrive(page, url, mia.user)
    bar_of(page, mia).get_by_role("link", name="Ask for a higher seat").click()
    page.get_by_label("Plan").select_option(label="Max")
    page.get_by_role("button", name="Send the request").click()
    expect(page.locator("#toasts")).to_contain_text("have your request.")
    page.goto(f"{url}/account/")
    bar = bar_of(page, mia)
    expect(bar).to_contain_text("Your request for a seat has not been answered yet.")

    with another_window(page) as other:
        arrive(other, url, owner_of(team).user)
        other.goto(f"{url}/teams/acme/requests/")
        other.get_by_role("link", name="Buy a Max seat").click()
        other.get_by_role("button", name="Confirm and pay").click()
        expect(other.locator("#toasts")).to_contain_text("Done")
        other.goto(f"{url}/teams/acme/requests/")
        other.get_by_role("button", name="Assign this seat").click()
        expect(other.get_by_role("main")).to_contain_text("(Max) assigned by ann@example.com")

    page.clock.run_for(POLLED)
    expect(bar.get_by_role("meter").first).to_have_attribute("aria-valuetext", "0 percent used")
    expect(bar).not_to_contain_text("Stopped until")
    assert goes_on(desk)


def test_the_owner_takes_a_higher_plan_and_what_was_used_stays_counted(
    browser_page: Page, live_server: LiveServer, account: StripeAccount
) -> None:
    page, url = browser_page, live_server.url
    team, desk = stopped_buyer(account)
    arrive(page, url, owner_of(team).user)
    bar = bar_of(page, owner_of(team))
    expect(bar).to_contain_text(STOPPED)
    bar.get_by_role("link", name="Change the plan").click()
    page.get_by_label("Plan to move to").select_option(label="Max")
    page.get_by_role("button", name="Move to this plan").click()
    page.get_by_role("button", name="Confirm and pay").click()
    expect(page.locator("#toasts")).to_contain_text("Done: Move seat")

    page.goto(f"{url}/account/")
    expect(bar).to_contain_text("$6.60 left of $9.90")
    expect(bar).not_to_contain_text("Stopped until")
    assert goes_on(desk)


def test_credits_that_the_owner_buys_pay_at_once(
    browser_page: Page, live_server: LiveServer, account: StripeAccount
) -> None:
    page, url = browser_page, live_server.url
    team, desk = stopped_buyer(account, credits=True)
    arrive(page, url, owner_of(team).user)
    bar = bar_of(page, owner_of(team))
    bar.get_by_role("link", name="Buy Credits").click()
    page.get_by_role("button", name="Buy for $25.00").click()
    page.get_by_role("button", name="Pay with Visa").click()
    expect(page.get_by_role("main")).to_contain_text("The Team has 25,000 Credits more")

    page.goto(f"{url}/account/")
    expect(bar).to_contain_text("calls are paid from Credits, of which 25,000 are left for you.")
    assert goes_on(desk)


def test_an_api_key_that_the_owner_makes_has_no_windows(browser_page: Page, live_server: LiveServer) -> None:
    page, url = browser_page, live_server.url
    ann, desk = stopped_owner()
    arrive(page, url, ann.user)
    bar_of(page, ann).get_by_role("link", name="API keys").click()
    page.get_by_label("Name").fill("batch")
    page.get_by_role("button", name="Make the key").click()
    confirm_password(page)
    text = page.locator("#key").inner_text()
    assert text.startswith("sk-api-")
    assert not goes_on(desk)
    assert goes_on(Desk(make_gateway(), text))


def test_whoever_waits_goes_on_when_there_is_room(browser_page: Page, live_server: LiveServer) -> None:
    page = browser_page
    mia, desk = stopped_member(team_of_ann(), minutes_ago=280)
    page.clock.install()
    arrive(page, live_server.url, mia.user)
    bar = bar_of(page, mia)
    expect(bar).to_contain_text("Stopped until")
    expect(bar.locator(".ways > li").first).to_contain_text("Wait")  # the best one, where room comes so soon

    with time_machine.travel(timezone.now() + timedelta(minutes=26)):
        page.clock.run_for(POLLED)
        expect(bar).not_to_contain_text("Stopped until")
        expect(bar.get_by_role("meter").first).to_have_attribute("aria-valuetext", "0 percent used")
        assert goes_on(desk)
