"""Whole journeys in a real browser: a newcomer from sign-up to a bar with usage, a Team and its seats."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from quota.models import Gateway
from quota.services.gateways import create_gateway
from teams.models import Membership, Role, User
from teams.services.memberships import add_member
from tests.helpers.browsing import (
    PASSWORD,
    arrive,
    confirm_password,
    last_link,
    overhang,
    path_of,
    press_in_menu,
    sign_in,
    sign_out,
    sign_up,
)
from tests.helpers.factories import (
    Desk,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PARTS = (
    "",
    "members/",
    "invitations/",
    "seats/",
    "requests/",
    "credits/",
    "usage/",
    "billing/",
    "audit/",
    "settings/",
)
KEY = re.compile(r"^sk-cp-[0-9A-Za-z]{58}$")


@pytest.mark.slow
def test_from_sign_up_to_a_bar_with_usage_and_a_rotated_key(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url = browser_page, live_server.url
    at = timezone.now()
    use_test_rate_card(at=at - timedelta(days=1))
    make_plan("max", at=at)
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    EmailAddress.objects.create(user=root, email=root.email, verified=True, primary=True)

    page.goto(f"{url}/accounts/signup/")
    sign_up(page, "ada@example.com")
    if "/accounts/login/" in page.url:
        sign_in(page, url, "ada@example.com")
    page.goto(f"{url}/account/")
    expect(page.get_by_role("main")).to_contain_text("Your key is real; there is nothing to spend yet.")

    ada = Membership.objects.get(user__email="ada@example.com")
    grant_seat_as_operator(page.context.browser, url, ada)
    page.reload()
    bar = page.get_by_role("meter", name="5-hour window")
    expect(bar).to_have_attribute("aria-valuetext", "0 percent used")

    page.get_by_role("link", name="Show key").click()  # the password has just been typed, to sign up
    text = page.locator("#key").inner_text()
    assert KEY.match(text)
    gateway: Gateway = create_gateway(name="g", at=at, by=None)[0]
    Desk(gateway, text).use(100, at=timezone.now())
    page.goto(f"{url}/account/")
    expect(bar).to_have_attribute("aria-valuetext", re.compile("^10 percent used; "))
    expect(page.get_by_role("main")).to_contain_text("$8.90 left of $9.90")

    page.get_by_role("link", name="Rotate").click()
    expect(page.get_by_label("1 hour")).to_be_checked()
    page.get_by_role("button", name="Rotate the key").click()
    new = page.locator("#key").inner_text()
    assert KEY.match(new)
    assert new != text
    expect(page.get_by_role("main")).to_contain_text("works until")
    page.goto(f"{url}/account/")
    expect(bar).to_have_attribute("aria-valuetext", re.compile("^10 percent used; "))


def grant_seat_as_operator(browser: Browser | None, url: str, to: Membership) -> None:
    assert browser is not None
    context = browser.new_context(locale="en-US", timezone_id="UTC")
    page = context.new_page()
    page.goto(f"{url}/admin/teams/team/{to.team_id}/grant-seat/")
    page.get_by_label("E-mail address").fill("root@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Plan").select_option(label="Max v1")
    page.get_by_label("Holder").select_option(value=str(to.pk))
    page.get_by_label("Reason").fill("pilot")
    page.get_by_role("button", name="Grant a seat").click()
    expect(page.get_by_text("is held by ada@example.com")).to_be_visible()
    context.close()


def test_the_bar_moves_by_itself(browser_page: Page, live_server: LiveServer) -> None:
    page, at = browser_page, timezone.now()
    owner = make_user("ada@example.com", password=PASSWORD, at=at)
    team = make_team("Acme", owner=owner, at=at)
    page.clock.install()
    arrive(page, live_server.url, owner)
    card = page.get_by_role("region", name="Acme")
    expect(card).to_contain_text("You hold no seat in this Team")

    make_seat(team, make_plan("max", at=at), holder=owner_of(team), at=at)
    page.clock.fast_forward(15_500)

    expect(card.get_by_role("meter")).to_have_count(2)
    expect(card).to_contain_text("0 agents at work")


@pytest.mark.slow
def test_inviting_joining_and_a_seat_given_moved_and_freed(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url, at = browser_page, live_server.url, timezone.now()
    team = make_team("Acme", owner=make_user("olivia@example.com", password=PASSWORD, at=at), at=at)
    make_user("mia@example.com", password=PASSWORD, at=at)
    noah = make_user("noah@example.com", password=PASSWORD, at=at)
    add_member(team=team, user=noah, role=Role.MEMBER, at=at, by=None)
    seat = make_seat(team, make_plan("max", at=at), at=at).pk

    sign_in(page, url, "olivia@example.com")
    page.goto(f"{url}/teams/acme/invitations/")
    page.get_by_label("E-mail address").fill("mia@example.com")
    page.get_by_role("button", name="Invite").click()
    expect(page.locator("#toasts")).to_contain_text("mia@example.com is invited.")
    join = url + path_of(last_link())
    sign_out(page)

    page.goto(join)
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail address").fill("mia@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Accept and join").click()
    expect(page.locator("#toasts")).to_contain_text("You are now a member of Acme.")
    sign_out(page)

    sign_in(page, url, "olivia@example.com")
    page.goto(f"{url}/teams/acme/seats/{seat}/")
    page.get_by_role("button", name="Give to mia@example.com").click()
    expect(page.get_by_role("main")).to_contain_text("Held by mia@example.com.")
    page.get_by_role("button", name="Move to noah@example.com").click()
    expect(page.get_by_role("main")).to_contain_text("Held by noah@example.com.")
    press_in_menu(page, "Free the seat…", "Free the seat")
    expect(page.get_by_role("main")).to_contain_text("Nobody holds this seat.")
    history = page.get_by_role("region", name="Who held it")
    expect(history.get_by_role("row")).to_have_count(3)


@pytest.mark.slow
def test_menus_theme_and_copy_work_with_the_keyboard(browser_page: Page, live_server: LiveServer) -> None:
    page = browser_page
    at = timezone.now()
    make_team("Acme", owner=make_user("ada@example.com", password=PASSWORD, at=at), at=at)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, live_server.url, "ada@example.com")

    page.locator("summary", has_text="Teams:").press("Enter")
    expect(page.get_by_role("link", name="Create a Team")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Create a Team")).to_be_hidden()

    html = page.locator("html")
    expect(html).to_have_attribute("data-bs-theme", "light")
    page.get_by_role("button", name="Light or dark theme").press("Enter")
    expect(html).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(html).to_have_attribute("data-bs-theme", "dark")

    page.get_by_role("link", name="Show key (Acme)").click()
    confirm_password(page)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#key").inner_text()


@pytest.mark.slow
def test_everything_works_on_a_phone_without_scrolling_sideways(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url = browser_page, live_server.url
    page.set_viewport_size({"width": 360, "height": 740})
    at = timezone.now()
    owner = make_user("ada@example.com", password=PASSWORD, at=at)
    team = make_team("Acme", owner=owner, at=at)
    make_seat(team, make_plan("max", at=at), at=at)
    arrive(page, url, owner)

    own = ("/account/", "/account/profile/", "/account/tokens/")
    for path in (*own, *(f"/teams/acme/{part}" for part in PARTS)):
        page.goto(url + path)
        page.get_by_role("button", name="Menu", exact=True).click()
        page.locator("summary", has_text="Teams:").click()
        expect(page.locator("details[open] > summary", has_text="Teams:")).to_be_visible()
        assert overhang(page) <= 0, path
