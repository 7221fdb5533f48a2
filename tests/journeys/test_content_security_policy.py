"""The pages in a real browser: they work under the Content-Security-Policy, and no script fails."""

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.helpers.factories import allow_credits, make_seat, make_team, make_user, owner_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.slow
def test_a_person_signs_in_and_every_link_opens(browser_page: Page, live_server: LiveServer) -> None:
    owner = make_user("olivia@example.com", password="correct horse battery")
    team = make_team("Acme", owner=owner)
    make_seat(team, holder=owner_of(team))
    allow_credits(owner_of(team))

    browser_page.goto(f"{live_server.url}/accounts/login/")
    browser_page.get_by_label("e-mail address").fill("olivia@example.com")
    browser_page.locator("input[name=password]").fill("correct horse battery")
    browser_page.locator("form[action*='login'] button[type=submit]").click()

    expect(browser_page.locator("body")).to_contain_text("Acme")
    paths = {link.get_attribute("href") for link in browser_page.get_by_role("link").all()}
    for path in sorted(path for path in paths if path and path.startswith("/") and "logout" not in path):
        response = browser_page.goto(f"{live_server.url}{path}")
        assert response
        assert response.status == 200, path


@pytest.mark.slow
def test_the_api_pages_need_no_other_host(browser_page: Page, live_server: LiveServer) -> None:
    foreign: list[str] = []
    browser_page.on(
        "request",
        lambda request: (
            foreign.append(request.url)
            if not request.url.startswith((live_server.url, "data:", "blob:"))
            else None
        ),
    )
    browser_page.goto(f"{live_server.url}/api/docs/")
    expect(browser_page.get_by_text("/api/v1/gateway/authorize").first).to_be_visible(timeout=30_000)
    assert foreign == []
