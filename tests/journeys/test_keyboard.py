"""By the keyboard alone: signing in, a page by its shortcut, a seat to somebody else, a new key."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.helpers.browsing import PASSWORD
from tests.helpers.factories import make_member, make_plan, make_seat, make_team, make_user, owner_of
from tests.helpers.keyboard import type_into, walk_to

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_whoever_has_a_keyboard_alone_signs_in_moves_a_seat_and_rotates_a_key(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url, at = browser_page, live_server.url, timezone.now() - timedelta(hours=1)
    owner = make_user("ada@example.com", password=PASSWORD, at=at)
    team = make_team("Acme", owner=owner, at=at)
    make_seat(team, make_plan("max", at=at), holder=owner_of(team), at=at)
    make_member(team, make_user("mia@example.com", at=at), at=at)
    main, dialog = page.get_by_role("main"), page.get_by_role("dialog")

    page.goto(f"{url}/accounts/login/?next=/teams/acme/")
    type_into(page, "E-mail address", "ada@example.com")
    type_into(page, "Password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/teams/acme/")

    # The palette: Escape closes it and the focus is where it was.
    opens = page.get_by_role("button", name="Search Ctrl K")
    walk_to(page, opens)
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("searchbox")).to_be_focused()
    expect(dialog).to_contain_text("Usage g u")
    page.keyboard.press("Escape")
    expect(opens).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("gu people")  # letters, where one types
    page.keyboard.press("Control+a")
    page.keyboard.type("people")
    page.keyboard.press("Enter")  # before the server has answered
    page.wait_for_url(f"{url}/teams/acme/members/")

    # A row's menu, and from there the seat to somebody else.
    menu = page.get_by_role("button", name="Change ada@example.com")
    walk_to(page, menu)
    page.keyboard.press("Enter")
    move = page.get_by_role("link", name="Move or free the seat")
    walk_to(page, move)
    page.keyboard.press("Escape")
    expect(move).to_be_hidden()
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    walk_to(page, move)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/seats/[0-9]+/#give"))
    walk_to(page, page.get_by_role("button", name="Move to mia@example.com"))
    page.keyboard.press("Enter")
    expect(main).to_contain_text("mia@example.com holds Seat 1 now.")

    page.keyboard.press("g")
    page.keyboard.press("u")
    page.wait_for_url(f"{url}/teams/acme/usage/")

    page.goto(f"{url}/account/keys/acme/rotate/")
    type_into(page, "Password", PASSWORD)  # once more, before a key is shown
    page.keyboard.press("Enter")
    walk_to(page, main.get_by_role("button", name="Rotate the key"))
    page.keyboard.press("Enter")
    expect(main.locator("#key")).to_have_text(re.compile("^sk-cp-"))
