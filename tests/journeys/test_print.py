"""What a page is on paper: as wide as the sheet, and without what is pressed or typed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.helpers.browsing import arrive
from tests.helpers.factories import make_scene

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_usage_takes_the_whole_sheet_and_shows_nothing_to_press(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, scene = browser_page, make_scene()
    page.set_viewport_size({"width": 1000, "height": 800})
    arrive(page, live_server.url, scene.owner.user)
    page.goto(f"{live_server.url}/teams/{scene.team.slug}/usage/")
    page.emulate_media(media="print")

    main = page.get_by_role("main")
    box = main.bounding_box()
    assert box
    assert box["width"] == 1000
    expect(main.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    expect(main.get_by_role("button")).to_have_count(0)
    expect(main.get_by_role("textbox")).to_have_count(0)
    expect(page.get_by_role("navigation", name="Pages")).to_have_count(0)
