"""The palette: by the keyboard alone to a page, and to a person."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, expect
from pytest_django.live_server_helper import LiveServer

from teams.models import SubscriptionKey
from teams.services import keys
from tests.helpers.browsing import PASSWORD, arrive, overhang
from tests.helpers.factories import make_member, make_team, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_page_and_a_person_are_reached_by_the_keyboard(browser_page: Page, live_server: LiveServer) -> None:
    page, at = browser_page, timezone.now()
    owner = make_user("ada@example.com", password=PASSWORD, at=at)
    team = make_team("Acme", owner=owner, at=at)
    make_member(team, make_user("mia@example.com", at=at), at=at)
    arrive(page, live_server.url, owner)

    page.keyboard.press("Control+k")
    box = page.get_by_role("searchbox", name="A page, a person, a key")
    expect(box).to_be_focused()
    box.press_sequentially("audit")
    expect(page.get_by_role("dialog").get_by_role("link", name="Audit log", exact=True)).to_be_visible()
    expect(
        page.get_by_role("dialog").get_by_role("link", name="The audit log API by example")
    ).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/teams/acme/audit/"))

    page.keyboard.press("/")
    box.press_sequentially("mia@")
    found = page.get_by_role("dialog").get_by_role("link", name="mia@example.com")
    expect(found).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(found).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/teams/acme/members/[0-9]+/"))
    expect(page.get_by_role("heading", name="mia@example.com")).to_be_visible()

    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("button", name="Menu", exact=True).click()
    page.get_by_role("button", name="Search Ctrl K").click()
    box.press_sequentially("nobody is called so")
    expect(page.get_by_text("Nothing is found.")).to_be_visible()
    assert overhang(page) <= 0
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()


def test_of_a_key_that_is_pasted_no_address_has_more_than_its_beginning(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    owner = make_user("ada@example.com", password=PASSWORD, at=at)
    team = make_team("Acme", owner=owner, at=at)
    member = make_member(team, make_user("mia@example.com", at=at), at=at)
    key = SubscriptionKey.objects.get(membership=member)
    text = keys.reveal_key(key)
    arrive(page, live_server.url, owner)
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))

    page.keyboard.press("Control+k")
    page.get_by_role("searchbox", name="A page, a person, a key").fill(text)
    page.get_by_role("dialog").get_by_role("link", name="mia@example.com").click()
    page.wait_for_url("**/teams/acme/members/**")
    page.goto(f"{live_server.url}/teams/acme/members/")
    page.get_by_role("searchbox", name="Name or e-mail address").fill(text)
    page.wait_for_url(re.compile(f"q=sk-cp-{key.key_id}&"))

    assert {request.method for request in asked if "/search/" in request.url} == {"POST"}
    assert not [request.url for request in asked if text in request.url + (request.post_data or "")]
