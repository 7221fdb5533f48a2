"""How little a person does: pages that open, clicks and fields, from the first page to what they came for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from quota.services.seat_requests import request_seat
from teams.models import Role, User
from teams.services.memberships import add_member
from tests.helpers.browsing import PASSWORD, arrive, last_link
from tests.helpers.counting import Counted
from tests.helpers.factories import (
    Desk,
    make_gateway,
    make_plan,
    make_scene,
    make_seat,
    make_team,
    make_user,
    use_test_rate_card,
)
from tests.helpers.newcomer import key_in_a_guide
from tests.helpers.stripe_account import StripeAccount

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_a_newcomer_pays_and_has_a_guide_with_a_key_whose_first_call_turns_it_green(
    browser_page: Page, account: StripeAccount, live_server: LiveServer, settings: Settings
) -> None:
    page = browser_page
    settings.GATEWAY_ANTHROPIC_URL = "https://gateway.example/anthropic"
    use_test_rate_card(at=timezone.now() - timedelta(days=1))

    person, key = key_in_a_guide(page, live_server.url, "newcomer@example.com", last_link)

    # Front page, sign-up, “check your mail”, the mail's link, total, payment, paid, tools, guide.
    assert person.did == {"pages": 9, "clicks": 8, "fields": 3}
    card = page.get_by_role("region", name="Your key")
    expect(card).to_contain_text("Not used yet.")
    Desk(make_gateway(), key).use(3, at=timezone.now())
    expect(card).to_contain_text("It works. Last call: penny", timeout=15_000)
    assert person.did == {"pages": 9, "clicks": 8, "fields": 3}  # it turned green by itself


def test_an_admin_reads_who_asks_for_a_seat_on_one_page_and_gives_it_in_two_clicks(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    team = make_team("Acme", at=at)
    make_seat(team, make_plan("max", at=at), at=at)
    admin, mia = (make_user(f"{name}@example.com", at=at) for name in ("adam", "mia"))
    add_member(team=team, user=admin, role=Role.ADMIN, at=at, by=None)
    asks = add_member(team=team, user=mia, role=Role.MEMBER, at=at, by=None)
    request_seat(membership=asks, plan_code="max", message="", at=at, by=mia)
    arrive(page, live_server.url, admin)
    person = Counted(page)
    main = page.get_by_role("main")

    page.goto(f"{live_server.url}/teams/acme/")
    expect(main).to_contain_text("mia@example.com asks for a Max seat.")
    person.click(main.get_by_role("link", name="1 request to answer").first)
    person.click(main.get_by_role("button", name="Assign this seat"))

    expect(main).to_contain_text("Seat 1 (Max) assigned by adam@example.com")
    assert person.did == {"pages": 3, "clicks": 2, "fields": 0}
    assert asks.holdings.current().exists()


@pytest.mark.parametrize(
    ("begins", "link"),
    [("members/{pk}/", "Move the seat to somebody else"), ("members/", "Move ({holder})")],
)
def test_a_seat_is_moved_in_two_clicks_from_people_and_from_its_holder_s_page(
    browser_page: Page, live_server: LiveServer, begins: str, link: str
) -> None:
    page, at = browser_page, timezone.now()
    scene = make_scene(at=at - timedelta(hours=1))
    mia = add_member(team=scene.team, user=make_user("mia@example.com"), role=Role.MEMBER, at=at, by=None)
    arrive(page, live_server.url, scene.owner.user)
    person, main = Counted(page), page.get_by_role("main")

    page.goto(f"{live_server.url}/teams/{scene.team.slug}/{begins.format(pk=scene.owner.pk)}")
    person.click(main.get_by_role("link", name=link.format(holder=scene.owner.user.display_name), exact=True))
    person.click(main.get_by_role("button", name="Move to mia@example.com"))

    expect(main).to_contain_text("mia@example.com holds Seat 1 now.")
    assert person.did == {"pages": 3, "clicks": 2, "fields": 0}
    assert mia.holdings.current().get().seat == scene.seat


def test_support_answers_why_somebody_was_charged_on_the_one_page_that_the_receipt_leads_to(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    scene = make_scene(at=at - timedelta(hours=1))
    charge = scene.desk.use(300, at=at - timedelta(minutes=10))
    support = make_user("support@example.com", password=PASSWORD, at=at)
    User.objects.filter(pk=support.pk).update(is_staff=True, is_superuser=True)
    arrive(page, live_server.url, support)
    person = Counted(page)

    page.goto(f"{live_server.url}/admin/")
    box = page.get_by_role("searchbox", name="Find a person, a Team, a seat, a key, a call, a payment")
    person.fill(box, str(charge.pk))
    box.press("Enter")

    record = page.locator("#content")
    for answer in (
        f"{scene.owner.user.email} in {scene.team.name}",
        "penny",
        "Calls: 300 at $0.01 each",
        "$3.00",
        "5-hour: $0.00, then $3.00 of $9.90; weekly: $0.00, then $3.00 of $99.00",
    ):
        expect(record).to_contain_text(answer)
    assert person.did == {"pages": 2, "clicks": 0, "fields": 1}
