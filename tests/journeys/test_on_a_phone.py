"""What fingers and a small screen need, beyond that nothing is too wide."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from tests.helpers.browsing import arrive
from tests.helpers.factories import CREDIT, allow_credits, give_credits, make_scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = ViewportSize(width=390, height=844)
ENDS = "(one) => one.getBoundingClientRect().right"
WORDS_END = """(one) => {
  const words = document.createRange();
  words.selectNodeContents(one);
  return words.getBoundingClientRect().right;
}"""


def test_a_card_of_a_list_is_short_and_its_receipt_and_the_menu_stay_in_reach(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now() - timedelta(hours=1)
    scene = make_scene(at=at)
    for minutes in range(12):
        scene.desk.use(1, at=at + timedelta(minutes=minutes))
    page.set_viewport_size(PHONE)
    arrive(page, live_server.url, scene.owner.user)
    page.goto(f"{live_server.url}/teams/{scene.team.slug}/charges/")
    last = page.get_by_role("row").last
    last.scroll_into_view_if_needed()

    expect(last.locator("[data-label=Price]")).to_be_visible()
    expect(last.locator("[data-label=Overrun]")).to_be_hidden()  # nothing
    receipt = last.get_by_role("link", name="Receipt").bounding_box()
    assert receipt
    assert receipt["height"] >= 24
    expect(page.get_by_role("button", name="Menu", exact=True)).to_be_in_viewport()


def test_the_name_of_the_team_leads_to_the_others(browser_page: Page, live_server: LiveServer) -> None:
    page, at = browser_page, timezone.now() - timedelta(hours=1)
    owner = make_scene(at=at).owner.user
    page.set_viewport_size(PHONE)
    arrive(page, live_server.url, owner)

    page.locator(".topbar-team").click()
    page.locator("summary", has_text="Teams:").click()
    page.get_by_role("link", name="Personal No seat").click()

    expect(page.locator(".topbar-team")).to_have_text("Personal")


def test_a_cap_on_credits_is_read_to_its_end(browser_page: Page, live_server: LiveServer) -> None:
    page, at = browser_page, timezone.now() - timedelta(hours=1)
    scene = make_scene(at=at)
    give_credits(scene.team, 100_000 * CREDIT, at=at)
    allow_credits(scene.owner, month_cap=500_000_000 * CREDIT, at=at)
    page.set_viewport_size(PHONE)
    arrive(page, live_server.url, scene.owner.user)
    cell = page.locator("dd", has_text="of at most").first

    assert cell.evaluate(WORDS_END) <= cell.evaluate(ENDS)
