"""Small manners of every page: a way past the menu, a Team among many, no motion for whoever wants none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from teams.models import User
from tests.helpers.browsing import arrive, enter, sign_up
from tests.helpers.console_pages import signed_in
from tests.helpers.factories import make_team, make_user, owner_of
from tests.helpers.usage_rows import write_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Of all elements, those that move for longer than anybody sees.
MOVING = """() => [...document.querySelectorAll("*")].filter((node) => {
    const style = getComputedStyle(node);
    const longest = (durations) => Math.max(...durations.split(",").map(parseFloat));
    return longest(style.transitionDuration) > 0.01 || longest(style.animationDuration) > 0.01;
}).map((node) => node.outerHTML.slice(0, 80))"""
CHARTED = "() => document.querySelector('canvas') && Chart.getChart(document.querySelector('canvas'))"
ANIMATION = "Chart.getChart(document.querySelector('canvas')).options.animation"


def test_the_first_tab_leads_past_the_menu_to_the_content(
    browser_page: Page, live_server: LiveServer
) -> None:
    page = browser_page
    arrive(page, live_server.url, owner_of(make_team("Acme")).user)
    skip = page.get_by_role("link", name="Skip to content")
    page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_of_more_than_eight_teams_one_is_found_by_its_letters(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, owner = browser_page, make_user("ada@example.com")
    for name in ("Acme", "Globex", "Initech", "Umbrella", "Soylent", "Hooli", "Vandelay", "Stark"):
        make_team(name, owner=owner)
    arrive(page, live_server.url, owner)
    page.locator("summary", has_text="Teams:").click()
    teams = page.locator("#switcher-teams").get_by_role("link")
    expect(teams).to_have_count(9)  # with one's own
    box = page.get_by_role("searchbox", name="Find a Team")
    box.fill("OLI")
    expect(teams).to_have_count(1)
    expect(teams).to_contain_text("Hooli")
    box.fill("nobody")
    expect(teams).to_have_count(0)
    box.fill("")
    expect(teams).to_have_count(9)
    box.fill("glob")
    teams.click()
    page.wait_for_url("**/teams/globex/")


def test_of_very_many_teams_the_palette_finds_one(
    browser_page: Page, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teams.views.base.LISTED_TEAMS", 2)
    page, owner = browser_page, make_user("ada@example.com")
    for name in ("Acme", "Globex", "Initech"):
        make_team(name, owner=owner)
    arrive(page, live_server.url, owner)
    page.locator("summary", has_text="Teams:").click()
    expect(page.locator("#switcher-teams").get_by_role("link")).to_have_count(2)
    page.get_by_role("button", name="Find a Team").click()
    page.get_by_role("dialog").get_by_role("searchbox").fill("glob")
    page.get_by_role("dialog").get_by_role("link", name="Globex", exact=True).click()
    page.wait_for_url("**/teams/globex/")
    page.locator("summary", has_text="Teams: Globex").click()
    expect(page.locator("#switcher-teams").get_by_role("link")).to_have_count(3)


@pytest.mark.slow
def test_whoever_wants_no_motion_has_none_in_pages_and_charts(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    team = make_team("Acme", at=at - timedelta(days=2))
    write_event(owner_of(team), 10**9, at=at - timedelta(days=1), model="penny")
    page.emulate_media(reduced_motion="reduce")
    arrive(page, live_server.url, owner_of(team).user)
    assert page.evaluate(MOVING) == []
    page.goto(f"{live_server.url}/teams/acme/usage/")
    page.wait_for_function(CHARTED)
    assert page.evaluate(ANIMATION) is False
    assert page.evaluate(MOVING) == []

    page.emulate_media(reduced_motion="no-preference")
    page.reload()
    page.wait_for_function(CHARTED)
    assert page.evaluate(ANIMATION)["duration"] == 250


def test_who_comes_from_the_operators_pages_still_has_the_theme_of_the_system(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, support = browser_page, make_user("support@example.com")
    User.objects.filter(pk=support.pk).update(is_staff=True, is_superuser=True)
    page.emulate_media(color_scheme="dark")
    enter(page, live_server.url, signed_in(support))
    page.goto(f"{live_server.url}/admin/")
    assert page.evaluate("localStorage.getItem('theme')") == "auto"
    page.goto(f"{live_server.url}/faq/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_the_tab_has_the_console_s_sign(browser_page: Page, live_server: LiveServer) -> None:
    page = browser_page
    page.goto(f"{live_server.url}/faq/")
    sign = page.locator("link[rel=icon]")
    answer = page.request.get(live_server.url + (sign.get_attribute("href") or ""))
    assert (answer.status, answer.headers["content-type"]) == (200, sign.get_attribute("type"))
    assert answer.text().startswith("<svg")


def test_what_is_said_from_now_is_said_anew_while_the_page_stays_open(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url = browser_page, live_server.url
    team = make_team("Acme", at=timezone.now() - timedelta(minutes=5))
    arrive(page, url, owner_of(team).user)
    page.clock.install()
    page.goto(f"{url}/teams/acme/audit/")
    said = page.locator("time").first
    expect(said).to_have_text("5\xa0minutes ago")
    said.evaluate("(time) => { time.dateTime = new Date(Date.now() - 7 * 60000).toISOString(); }")

    page.clock.run_for(60_000)

    expect(said).to_have_text("7\xa0minutes ago")


@pytest.mark.slow
def test_who_opens_an_account_reads_times_by_the_clock_of_the_browser(
    browser_page: Page, live_server: LiveServer
) -> None:
    browser = browser_page.context.browser
    assert browser is not None
    context = browser.new_context(locale="en-US", timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto(f"{live_server.url}/accounts/signup/")
    sign_up(page, "ada@example.com")
    assert User.objects.get(email="ada@example.com").time_zone == "Asia/Tokyo"
    context.close()
