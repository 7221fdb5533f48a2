"""By the keyboard alone, through the journeys that matter most: a first call, joining, asking, removing,
many at once, the palette, an authenticator app, and support. The ways out at the limit:
`test_keyboard_at_the_limit`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urljoin

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from quota.models import UsageEvent
from teams.models import Invitation, Membership, Role, Team, User
from tests.helpers.browsing import PASSWORD, arrive, last_link, path_of
from tests.helpers.factories import (
    CREDIT,
    Desk,
    allow_credits,
    give_credits,
    make_gateway,
    make_member,
    make_scene,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.keyboard import press, type_into, walk_to
from tests.helpers.stripe_account import GOOD, StripeAccount
from tests.helpers.totp import app_shown

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


def test_an_admin_removes_several_at_once(browser_page: Page, live_server: LiveServer) -> None:
    page, url = browser_page, live_server.url
    main = page.get_by_role("main")
    team, mia = team_and_mia()
    noah = make_member(team, make_user("noah@example.com"))
    arrive(page, url, owner_of(team).user)
    page.goto(f"{url}/teams/acme/members/")
    for member in (mia, noah):
        walk_to(page, page.get_by_label(member.user.email, exact=True))
        page.keyboard.press("Space")
    walk_to(page, page.get_by_label("What to do"), key="Shift+Tab")
    page.keyboard.type("Remove")
    press(page, page.get_by_role("button", name="Go on"))
    expect(main).to_contain_text("Their keys stop working at once, and their seats become free.")
    press(page, page.get_by_role("button", name=re.compile("2 people")))
    expect(main.get_by_role("status")).to_be_visible()
    assert Membership.objects.for_team(team).live().get() == owner_of(team)


def test_an_owner_invites_many_at_once_and_sees_what_becomes_of_each_line(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url = browser_page, live_server.url
    team, _ = team_and_mia()
    arrive(page, url, owner_of(team).user)
    page.goto(f"{url}/teams/acme/invitations/")
    press(page, page.get_by_role("link", name="Invite many at once"))
    walk_to(page, page.get_by_label("One person a line"))
    page.keyboard.type("noah@example.com\nmia@example.com")
    press(page, page.get_by_role("button", name="Check the lines"))
    press(page, page.get_by_role("button", name="Invite one person"))
    expect(page.get_by_role("status").first).to_contain_text("1 of 2 lines were invited.")
    assert Invitation.objects.get().email == "noah@example.com"


def test_the_palette_finds_a_person_and_the_arrows_choose_among_what_is_found(
    browser_page: Page, live_server: LiveServer
) -> None:
    page = browser_page
    team, mia = team_and_mia()
    arrive(page, live_server.url, owner_of(team).user)
    opens = page.get_by_role("button", name="Search Ctrl K")
    press(page, opens)
    page.keyboard.type("mia@")
    found = page.get_by_role("dialog").get_by_role("link", name="mia@example.com")
    expect(found).to_be_visible()
    walk_to(page, found, key="ArrowDown")
    page.keyboard.press("Escape")
    expect(found).to_be_hidden()
    expect(opens).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Control+a")
    page.keyboard.type("mia@")
    expect(found).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(found).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/teams/acme/members/{mia.pk}/")


def test_an_app_is_set_up_and_asked_for_at_the_next_sign_in(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url = browser_page, live_server.url
    team, _ = team_and_mia()
    arrive(page, url, owner_of(team).user)
    own = page.locator("summary", has_text="Your account:")
    press(page, own)
    press(page, page.get_by_role("link", name="Security"))
    press(page, page.get_by_role("link", name="Set up an app"))
    type_into(page, "Password", PASSWORD)
    page.keyboard.press("Enter")
    code = page.get_by_label("The code that the app shows")
    walk_to(page, code)
    app = app_shown(page.content())
    page.keyboard.type(app.code())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    press(page, own)
    press(page, page.get_by_role("button", name="Sign out"))

    page.wait_for_url(lambda address: "/account" not in address or "/login/" in address)
    page.goto(f"{url}/accounts/login/")
    sign_in_with_keys(page, "ann@example.com")
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    type_into(page, "Code", app.code(periods=1))  # that of now was good once
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/account/")


def test_support_finds_a_person_by_a_key_and_corrects_a_charge(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url, at = browser_page, live_server.url, timezone.now()
    scene = make_scene(at=at - timedelta(hours=1))
    scene.desk.use(300, at=at - timedelta(minutes=10))
    arrive(page, url, User.objects.create_superuser("support@example.com", PASSWORD))
    page.goto(f"{url}/admin/")
    type_into(page, "Find a person, a Team, a seat, a key, a call, a payment", scene.desk.key)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/admin/support/people/{scene.owner.user_id}/")
    press(page, page.get_by_role("link", name="Skip to main content"))  # past the list of all records
    press(page, page.get_by_role("link", name=re.compile("^Correct [0-9]")))
    walk_to(page, page.get_by_label(re.compile("^Calls")))
    page.keyboard.press("Control+a")
    page.keyboard.type("100")
    press(page, page.get_by_role("button", name=re.compile("^Correct the charge")))
    expect(page.get_by_label("Reason")).to_be_focused()  # nothing is sent without one
    assert UsageEvent.objects.count() == 1
    page.keyboard.type("Counted thrice")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The charge is undone; $1.00 are charged instead.")).to_be_visible()
