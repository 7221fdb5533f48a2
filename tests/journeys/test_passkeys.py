"""Passkeys in a real browser, with Chromium's own authenticator: a key that can ask its owner for a PIN."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from teams.models import User
from tests.helpers.authenticator import Authenticator
from tests.helpers.browsing import (
    PASSWORD,
    confirm_password,
    open_own_menu,
    overhang,
    sign_in,
    sign_out,
)
from tests.helpers.factories import make_team, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
KEY = re.compile(r"^sk-cp-[0-9A-Za-z]{58}$")


@pytest.fixture
def url(live_server: LiveServer, settings: Any) -> str:
    """Passkeys are made for the host of BASE_URL."""
    settings.BASE_URL = live_server.url
    return str(live_server.url)


@pytest.fixture
def ada() -> User:
    at = timezone.now()
    user = make_user("ada@example.com", password=PASSWORD, at=at)
    make_team("Acme", owner=user, at=at)
    return user


def add_a_passkey(page: Page, url: str) -> None:
    """By the menu, after the password."""
    sign_in(page, url, "ada@example.com")
    open_own_menu(page)
    page.get_by_role("link", name="Security").click()
    page.get_by_role("link", name="Add a passkey").click()
    confirm_password(page)
    page.get_by_label("Name").fill("my laptop")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


@pytest.mark.slow
def test_a_passkey_is_added_signs_in_confirms_and_is_removed(browser_page: Page, url: str, ada: User) -> None:
    page, authenticator = browser_page, Authenticator(browser_page)
    add_a_passkey(page, url)
    sign_out(page)

    page.goto(f"{url}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(f"{url}/account/")

    # Not the password: that is asked for first, and a passkey is offered beside it.
    page.get_by_role("link", name="Show key (Acme)").click()
    page.get_by_role("link", name="Use a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()
    assert KEY.match(page.locator("#key").inner_text())

    page.goto(f"{url}/account/security/")
    page.get_by_role("link", name="Remove… my laptop").click()
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.locator("#toasts")).to_contain_text("no longer signs you in")
    sign_out(page)

    page.goto(f"{url}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("#toasts")).to_contain_text("That was not accepted.")
    expect(page).to_have_url(re.compile("/accounts/login/$"))
    authenticator.verifies(its_owner=False)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("That did not work: it was canceled")).to_be_visible()


@pytest.mark.slow
def test_after_the_password_a_passkey_or_a_code_on_a_phone(browser_page: Page, url: str, ada: User) -> None:
    page = browser_page
    page.set_viewport_size({"width": 360, "height": 740})
    Authenticator(page)
    add_a_passkey(page, url)
    code = page.locator("#codes li").first.inner_text()
    for path in ("/account/security/", "/account/passkeys/add/", "/account/passkeys/recovery-codes/"):
        page.goto(url + path)
        assert overhang(page) <= 0, path
    sign_out(page)

    for second in ("passkey", "code"):
        page.goto(f"{url}/accounts/login/")
        page.get_by_label("E-mail address").fill("ada@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("heading", name="One more step")).to_be_visible()
        assert overhang(page) <= 0
        if second == "passkey":
            page.get_by_role("button", name="Use a passkey").click()
        else:
            page.get_by_label("Code").fill(code)
            page.get_by_role("button", name="Use a recovery code").click()
        expect(page).to_have_url(f"{url}/account/")
        sign_out(page)
