"""By the keyboard alone, through the journeys that matter most: a first call, joining, asking, removing."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urljoin

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from teams.models import Membership, Role, Team
from tests.helpers.browsing import PASSWORD, arrive, last_link, path_of
from tests.helpers.factories import (
    CREDIT,
    Desk,
    allow_credits,
    give_credits,
    make_gateway,
    make_member,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.keyboard import press, type_into, walk_to
from tests.helpers.stripe_account import GOOD, StripeAccount

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def sign_in_with_keys(page: Page, email: str) -> None:
    """On the sign-in page."""
    type_into(page, "E-mail address", email)
    type_into(page, "Password", PASSWORD)
    page.keyboard.press("Enter")


def test_a_newcomer_signs_up_shows_the_key_and_sees_the_first_call_turn_green(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url = browser_page, live_server.url
    use_test_rate_card(at=timezone.now() - timedelta(days=1))
    page.goto(f"{url}/accounts/signup/")
    type_into(page, "E-mail address", "keys@example.com")
    type_into(page, "Password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    page.goto(urljoin(page.url, path_of(last_link())))
    press(page, page.get_by_role("button", name="Yes, confirm"))
    page.wait_for_url(lambda address: "/confirm-email/" not in address)
    if "/accounts/login/" in page.url:
        sign_in_with_keys(page, "keys@example.com")
    page.goto(f"{url}/account/")
    own = Membership.objects.get(user__email="keys@example.com")
    give_credits(own.team, 10_000 * CREDIT, at=timezone.now())
    allow_credits(own, at=timezone.now())

    press(page, page.get_by_role("link", name="See the key"))
    page.wait_for_url("**/account/keys/**")
    key = page.locator("#key").inner_text()
    press(page, page.get_by_role("link", name="Done"))
    page.wait_for_url(f"{url}/account/")
    used = page.get_by_role("region", name="First steps").locator(".key-used")
    expect(used).to_contain_text("Not used yet.")
    Desk(make_gateway(), key).use(3, at=timezone.now())
    expect(used).to_contain_text("It works. Last call: penny", timeout=15_000)


def test_an_owner_invites_and_the_invited_signs_in_and_joins(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url, at = browser_page, live_server.url, timezone.now() - timedelta(hours=1)
    make_team("Acme", owner=make_user("ann@example.com", password=PASSWORD, at=at), at=at)
    make_user("mia@example.com", password=PASSWORD, at=at)

    page.goto(f"{url}/accounts/login/?next=/teams/acme/members/")
    sign_in_with_keys(page, "ann@example.com")
    press(page, page.get_by_role("link", name="Invite people"))
    page.wait_for_url("**/invitations/")
    type_into(page, "E-mail address", "mia@example.com")
    press(page, page.get_by_role("button", name="Invite", exact=True))
    expect(page.locator("#toasts")).to_contain_text("mia@example.com is invited.")
    join = url + path_of(last_link())

    page.context.clear_cookies()
    page.goto(join)
    press(page, page.get_by_role("main").get_by_role("link", name="Sign in"))
    page.wait_for_url("**/accounts/login/**")
    sign_in_with_keys(page, "mia@example.com")
    press(page, page.get_by_role("button", name="Accept and join"))
    expect(page.locator("#toasts")).to_contain_text("You are now a member of Acme.")


def test_credits_are_asked_for_bought_and_given(
    browser_page: Page, live_server: LiveServer, account: StripeAccount
) -> None:
    page, url = browser_page, live_server.url
    team, mia = team_and_mia()
    main = page.get_by_role("main")
    arrive(page, url, mia.user)
    press(page, main.get_by_role("link", name="Ask for Credits"))
    page.wait_for_url("**/credit-requests/**")
    walk_to(page, page.get_by_label("Credits a calendar month"))
    page.keyboard.type("5000")
    press(page, page.get_by_role("button", name="Send the request"))
    page.wait_for_url(f"{url}/account/**")
    expect(main).to_contain_text("Your request for Credits has not been answered yet.")

    page.context.clear_cookies()
    arrive(page, url, owner_of(team).user)
    page.goto(f"{url}/teams/acme/requests/")
    press(page, main.get_by_role("link", name="Buy Credits"))
    page.wait_for_url("**/credits/buy/")
    press(page, page.get_by_role("button", name="Buy for $25.00"))
    expect(page.get_by_role("heading", name=re.compile(r"\$25\.00"))).to_be_visible()
    page.get_by_label("Card number").focus()  # from here on it is the payment service's page
    page.keyboard.type(GOOD)
    page.keyboard.press("Enter")
    expect(main).to_contain_text("The Team has 25,000 Credits more")
    page.goto(f"{url}/teams/acme/requests/")
    press(page, main.get_by_role("button", name="Give this access"))
    expect(main).to_contain_text("No open requests.")
    expect(main).to_contain_text("Access to Credits given by ann@example.com: at most 5,000 Credits")


def team_and_mia() -> tuple[Team, Membership]:
    at = timezone.now() - timedelta(hours=1)
    team = make_team("Acme", owner=make_user("ann@example.com", password=PASSWORD, at=at), at=at)
    return team, make_member(team, make_user("mia@example.com", at=at), at=at)


def test_an_admin_removes_a_member(browser_page: Page, live_server: LiveServer) -> None:
    page, url = browser_page, live_server.url
    team, mia = team_and_mia()
    adam = make_member(team, make_user("adam@example.com"), role=Role.ADMIN)
    arrive(page, url, adam.user)
    page.goto(f"{url}/teams/acme/members/")
    press(page, page.get_by_role("button", name="Change mia@example.com"))
    press(page, page.get_by_role("link", name="Key and removal"))
    page.wait_for_url(re.compile("/members/[0-9]+/#remove"))
    remove = page.get_by_role("button", name="Remove mia@example.com")
    question = page.get_by_text("Remove from the Team…", exact=True)
    press(page, question)
    expect(remove).to_be_visible()
    page.keyboard.press("Enter")  # the question is taken back
    expect(remove).to_be_hidden()
    page.keyboard.press("Enter")
    walk_to(page, remove)
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("mia@example.com is no longer a member.")
    mia.refresh_from_db()
    assert mia.ended_at
