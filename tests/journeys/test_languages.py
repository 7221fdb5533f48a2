"""The switch between the languages, in a browser: by keyboard, without a script, wide and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.helpers.browsing import arrive, overhang
from tests.helpers.factories import make_user

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def reads(page: Page, language: str) -> None:
    expect(page.locator(f'html[lang="{language}"]')).to_be_attached()


def test_a_visitors_choice_and_a_persons(live_server: LiveServer, browser_page: Page) -> None:
    page = browser_page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/faq/")
    reads(page, "en")
    switch = page.get_by_role("button", name="简体中文")
    switch.focus()
    page.keyboard.press("Enter")
    reads(page, "zh-hans")
    expect(page).to_have_url(f"{live_server.url}/faq/")
    assert overhang(page) == 0

    arrive(page, live_server.url, make_user("li@example.com"))
    page.set_viewport_size({"width": 1280, "height": 900})
    reads(page, "zh-hans")
    page.get_by_role("button", name="English").click()
    reads(page, "en")
    expect(page).to_have_url(f"{live_server.url}/account/")
    assert overhang(page) == 0


def test_without_a_script(live_server: LiveServer, browser_page: Page) -> None:
    browser = browser_page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.goto(f"{live_server.url}/faq/")
    reads(page, "zh-hans")
    page.get_by_role("button", name="English").click()
    reads(page, "en")
    context.close()
