"""The browser's way back, on a phone: what was there before is there again, and nothing lies over it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from quota.services.balance import add_to_balance
from teams.models import Team
from tests.helpers.browsing import arrive
from tests.helpers.cases import many
from tests.helpers.factories import USD, make_member, make_plan, make_seat, make_team, make_user, owner_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LEAVES = "dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))"
OPEN = "document.querySelectorAll('dialog[open], :popover-open, details.menu[open]').length"


@pytest.fixture
def team(browser_page: Page, live_server: LiveServer) -> Team:
    """Its Owner is signed in on a phone, at the Team's seats."""
    at = timezone.now() - timedelta(hours=1)
    team = make_team("Acme", at=at)
    for code in ("plus", "max"):
        make_seat(team, make_plan(code, at=at), at=at)
    make_member(team, make_user("mia@example.com", at=at), at=at)
    browser_page.set_viewport_size({"width": 390, "height": 844})
    arrive(browser_page, live_server.url, owner_of(team).user)
    browser_page.goto(f"{live_server.url}/teams/acme/seats/")
    return team


@pytest.mark.slow
def test_a_list_and_its_file_have_the_filter_again_that_they_are_filtered_by(
    browser_page: Page, live_server: LiveServer, team: Team
) -> None:
    page = browser_page
    field, plan, seats = (
        page.locator("#search"),
        page.get_by_label("Plan", exact=True),
        page.locator("#seats"),
    )
    field.fill("1")
    page.wait_for_url("**/seats/?q=1&plan=&show=")
    plan.select_option("max")
    page.wait_for_url("**/seats/?q=1&plan=max&show=")
    expect(seats).to_contain_text("Nothing is found.")
    file = page.get_by_role("link", name="Download as CSV")
    expect(file).to_have_attribute("href", "/teams/acme/seats/file/?q=1&plan=max&show=")

    page.go_back()
    expect(seats).to_contain_text("Seat 1")
    expect(field).to_have_value("1")
    expect(plan).to_have_value("")
    expect(file).to_have_attribute("href", "/teams/acme/seats/file/?q=1&plan=&show=")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name="Search")).to_be_visible()  # its scripts run

    page.go_back()
    expect(field).to_have_value("")
    expect(seats).to_contain_text("Seat 2")


@pytest.mark.slow
def test_a_ledger_and_the_link_to_its_file_follow_the_filter_there_and_back(
    browser_page: Page, live_server: LiveServer, team: Team
) -> None:
    page, at = browser_page, timezone.now()
    add_to_balance(team=team, nanousd=5 * USD, source="a", cause="Bought", at=at, by=None)
    page.goto(f"{live_server.url}/teams/acme/balance/")
    kind, entries = page.get_by_label("Kind", exact=True), page.locator("#entries")
    file = page.get_by_role("link", name="Download as CSV (Ledger)")
    expect(entries).to_contain_text("Bought")

    kind.select_option("voucher")

    page.wait_for_url("**/balance/?kind=voucher&**")
    expect(entries).to_contain_text("No entries.")
    expect(file).to_have_attribute("href", re.compile(r"/balance/ledger/file/\?kind=voucher$"))
    page.go_back()
    expect(entries).to_contain_text("Bought")
    expect(kind).to_have_value("")
    with page.expect_download() as download:
        file.click()
    assert download.value.suggested_filename == "api-balance-acme.csv"


def test_a_page_is_where_it_was_left(browser_page: Page, live_server: LiveServer, team: Team) -> None:
    page = browser_page
    page.set_viewport_size({"width": 390, "height": 300})
    page.goto(f"{live_server.url}/teams/acme/members/")
    page.evaluate("scrollTo(0, 400)")
    page.get_by_role("link", name="mia@example.com", exact=True).evaluate("(link) => link.click()")
    expect(page.get_by_role("heading", name="mia@example.com")).to_be_attached()

    page.go_back()

    expect(page.get_by_role("heading", name="Members", exact=True)).not_to_be_in_viewport()
    # A box that only scripts can use comes in above: less than a row of cards.
    assert abs(page.evaluate("scrollY") - 400) < 60


@pytest.mark.parametrize("opened", many(["Menu", "Search", "Change"]))
def test_nothing_lies_over_a_page_that_the_browser_has_kept(
    browser_page: Page, live_server: LiveServer, team: Team, opened: str
) -> None:
    page = browser_page
    page.goto(f"{live_server.url}/teams/acme/members/")
    if opened == "Change":
        page.get_by_role("button", name="Change mia@example.com").click()
    else:
        page.get_by_role("button", name="Menu", exact=True).click()
    if opened == "Search":
        page.locator("[data-palette]").first.click()
    assert page.evaluate(OPEN) == 1

    page.evaluate(LEAVES)

    assert page.evaluate(OPEN) == 0
