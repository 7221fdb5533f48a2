"""The charts in a real browser: they are drawn, a click filters what is below, and another theme has other
colours. That no policy is violated and no script fails, the page itself watches.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.helpers.browsing import PASSWORD, arrive, overhang
from tests.helpers.factories import CREDIT, give_credits, make_member, make_team, make_user, owner_of
from tests.helpers.usage_rows import write_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CHART = "Chart.getChart(document.querySelector('canvas'))"
IS_DRAWN = """() => {
  const canvas = document.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value) => value);
}"""
COLOUR = f"{CHART}.data.datasets[0].backgroundColor"


@pytest.mark.slow
def test_usage_is_drawn_filtered_by_a_click_and_redrawn_in_another_theme(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    owner = make_user("ada@example.com", password=PASSWORD, at=at)
    team = make_team("Acme", owner=owner, at=at)
    mia = make_member(team, make_user("mia@example.com", at=at), at=at)
    for days in range(20):
        write_event(mia, 2 * 10**9, at=at - timedelta(days=days), model="penny")
        write_event(owner_of(team), 10**9, at=at - timedelta(days=days), model="painter")
    page.emulate_media(color_scheme="light")
    arrive(page, live_server.url, owner)
    page.goto(f"{live_server.url}/teams/acme/usage/?group=model")
    expect(page.get_by_role("img", name="Bars of what was spent")).to_be_visible()
    page.wait_for_function(IS_DRAWN)

    bar = page.evaluate(f"{CHART}.getDatasetMeta(0).data.at(-3).getCenterPoint()")
    page.locator("canvas").click(position={"x": bar["x"], "y": bar["y"]})
    page.wait_for_url(re.compile(r"group=model&model=penny"))
    sums = page.get_by_role("region", name="By model")
    expect(sums.get_by_role("row")).to_have_count(2)
    expect(sums).to_contain_text("$40.00")
    assert page.evaluate(f"{CHART}.data.datasets.length") == 2
    page.get_by_text("Show as table").click()
    expect(page.locator("#spent-table tbody tr")).to_have_count(20)

    light = page.evaluate(COLOUR)
    page.get_by_role("button", name="Light or dark theme").click()
    page.wait_for_function(f"{COLOUR} !== '{light}'")
    page.set_viewport_size({"width": 320, "height": 700})
    assert overhang(page) <= 0

    page.locator(".legend").get_by_role("link", name="penny").press("Enter")
    page.wait_for_url(re.compile(r"usage/\?group=model$"))
    expect(sums.get_by_role("row")).to_have_count(3)


def test_credits_are_drawn_from_what_was_left_to_what_will_be(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    owner = make_user("ada@example.com", password=PASSWORD, at=at)
    team = make_team("Acme", owner=owner, at=at - timedelta(days=9))
    give_credits(team, 600 * CREDIT, at=at - timedelta(days=8), expires_at=at + timedelta(days=60))
    for days in range(7):
        write_event(owner_of(team), 30 * CREDIT, at=at - timedelta(days=days, minutes=1))
    arrive(page, live_server.url, owner)

    page.goto(f"{live_server.url}/teams/acme/credits/")

    expect(page.get_by_role("img", name="A line of the Credits")).to_be_visible()
    page.wait_for_function(IS_DRAWN)
    # What was left, a day each, and what will be begins today, where the other line ends.
    lines = page.evaluate(f"{CHART}.data.datasets.map((line) => line.data.filter((one) => one !== null))")
    assert lines[0] == [600] * 9
    assert lines[1][0] == 600
    assert lines[1][-1] < lines[1][1] < 600
    expect(page.get_by_text("they are not used up before they expire")).to_be_visible()
