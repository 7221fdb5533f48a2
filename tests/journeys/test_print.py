"""What a page is on paper: as wide as the sheet, in the light theme, and without what is pressed or typed."""

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


def test_paper_has_the_colours_of_the_light_theme_whatever_the_screen_has(
    browser_page: Page, live_server: LiveServer
) -> None:
    page = browser_page
    root, pale = page.locator("html"), page.get_by_text("All times are UTC.")
    page.emulate_media(color_scheme="dark")
    page.goto(f"{live_server.url}/plans/")
    on_screen = pale.evaluate("words => getComputedStyle(words).color")
    expect(root).to_have_attribute("data-bs-theme", "dark")

    page.emulate_media(color_scheme="dark", media="print")
    expect(root).to_have_attribute("data-bs-theme", "light")
    assert pale.evaluate("words => getComputedStyle(words).color") != on_screen

    page.emulate_media(color_scheme="dark", media="screen")
    expect(root).to_have_attribute("data-bs-theme", "dark")
