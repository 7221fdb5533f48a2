"""From a guide to a tool that works, in a real browser: fill in the key, copy, and see it turn green."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.helpers.browsing import PASSWORD, arrive, confirm_password, overhang
from tests.helpers.factories import (
    Desk,
    key_of,
    make_gateway,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

GUIDES = ("claude-code", "openclaw", "cursor", "trae", "hermes-agent", "other")
OPEN = (
    "/tools/",
    "/quickstart/",
    "/models/",
    "/faq/",
    "/promotions/",
    *(f"/tools/{tool}/" for tool in GUIDES),
)


@pytest.fixture(autouse=True)
def gateway(settings: Any) -> None:
    settings.GATEWAY_ANTHROPIC_URL = "https://gateway.example/anthropic"
    settings.GATEWAY_OPENAI_URL = "https://gateway.example/v1"


@pytest.mark.slow
def test_from_a_guide_over_the_key_and_copy_to_green_after_the_first_call(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    use_test_rate_card(at=at - timedelta(days=1))
    ada = make_user("ada@example.com", password=PASSWORD, at=at)
    team = make_team("Acme", owner=ada, at=at)
    make_seat(team, make_plan("max", at=at), holder=owner_of(team), at=at)
    key = key_of(owner_of(team))
    arrive(page, live_server.url, ada)

    page.get_by_role("link", name="Set up a tool (Acme)").click()
    page.get_by_role("link", name="Claude Code").click()
    settings = page.get_by_role("group", name="~/.claude/settings.json")
    expect(settings).to_contain_text("sk-cp-YOUR-KEY")
    assert key not in page.content()

    page.get_by_role("link", name="Fill in my key (Acme)").click()
    confirm_password(page)
    expect(settings).to_contain_text(key)
    card = page.get_by_role("region", name="Your key")
    expect(card).to_contain_text("Not used yet.")

    page.locator(".snippet", has=settings).get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))["env"]
    assert copied["ANTHROPIC_AUTH_TOKEN"] == key
    assert copied["ANTHROPIC_BASE_URL"] == "https://gateway.example/anthropic"
    assert copied["ANTHROPIC_MODEL"] == "talker"

    # What a gateway does when the tool calls it with what was copied.
    event = Desk(make_gateway(), copied["ANTHROPIC_AUTH_TOKEN"]).use(3, at=timezone.now())
    expect(card).to_contain_text("It works. Last call: penny", timeout=15_000)
    expect(card.locator(".is-used")).to_be_visible()
    card.get_by_role("link", name="Receipt").click()
    expect(page.get_by_role("main")).to_contain_text(str(event.pk))
    expect(page.get_by_role("main")).to_contain_text("$0.03")


@pytest.mark.slow
def test_the_pages_of_help_fit_a_narrow_phone(browser_page: Page, live_server: LiveServer) -> None:
    page = browser_page
    use_test_rate_card(at=timezone.now() - timedelta(days=1))
    make_plan("max", at=timezone.now())
    page.set_viewport_size({"width": 320, "height": 640})

    for path in OPEN:
        page.goto(live_server.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert overhang(page) <= 0, path
