"""An authenticator app in a real browser: set up, asked for at the next sign-in, and a recovery code once."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.helpers.browsing import PASSWORD, confirm_password, open_own_menu, overhang, sign_in, sign_out
from tests.helpers.factories import make_team, make_user
from tests.helpers.totp import app_shown

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def after_password(page: Page, url: str, code: str) -> None:
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("E-mail address").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    assert overhang(page) <= 0
    page.get_by_label("Code").fill(code)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()


@pytest.mark.slow
def test_an_app_is_set_up_on_a_phone_and_asked_for_and_a_recovery_code_works_once(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url = browser_page, str(live_server.url)
    user = make_user("ada@example.com", password=PASSWORD, at=timezone.now())
    make_team("Acme", owner=user, at=timezone.now())
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, url, "ada@example.com")
    open_own_menu(page)
    page.get_by_role("link", name="Security").click()
    expect(page.get_by_role("heading", name="Security", exact=True)).to_be_visible()
    assert overhang(page) <= 0
    page.get_by_role("link", name="Set up an app").click()
    confirm_password(page)
    expect(page.get_by_label("The code that the app shows")).to_be_visible()
    assert overhang(page) <= 0
    app = app_shown(page.content())
    page.get_by_label("The code that the app shows").fill(app.code())
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    recovery = page.locator("#codes li").first.inner_text()
    sign_out(page)

    after_password(page, url, app.code(periods=1))  # that of now was good once
    expect(page).to_have_url(f"{url}/account/")
    sign_out(page)

    after_password(page, url, recovery)
    expect(page).to_have_url(f"{url}/account/")
    sign_out(page)

    after_password(page, url, recovery)
    expect(page.get_by_text("That was not accepted.")).to_be_visible()
