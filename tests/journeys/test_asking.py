"""A member asks, and reads what was really given, in a real browser."""

from __future__ import annotations

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from teams.models import Role
from teams.services import mail as mailer
from teams.services.memberships import add_member
from teams.services.seats import assign_seat
from tests.helpers.browsing import PASSWORD, arrive, overhang
from tests.helpers.buyer import Buyer
from tests.helpers.factories import make_team, make_user
from tests.helpers.stripe_account import StripeAccount

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.slow
def test_a_member_asks_for_a_higher_seat_and_for_credits_and_the_owner_buys_and_gives(
    browser_page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    page, url, at = browser_page, live_server.url, timezone.now()
    page.set_viewport_size({"width": 390, "height": 844})
    ann = make_user("ann@example.com", password=PASSWORD, at=at)
    acme = Buyer(account, make_team("Acme", owner=ann, at=at))
    acme.subscribe({"plus": 1})
    mia = make_user("mia@example.com", password=PASSWORD, at=at)
    member = add_member(team=acme.team, user=mia, role=Role.MEMBER, at=at, by=None)
    seat = acme.team.seats.get()
    assign_seat(seat=seat, membership=member, by=None, at=at)

    arrive(page, url, mia)
    page.get_by_text("What to do at the limit").first.click()
    page.get_by_role("link", name="Ask for a higher seat").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("ann@example.com (Owner)")
    page.get_by_label("Plan").select_option(label="Max")
    page.get_by_role("button", name="Send the request").click()
    page.get_by_text("What to do at the limit").first.click()
    page.get_by_role("link", name="Ask for Credits").click()
    page.get_by_label("Credits a calendar month").fill("5,000")
    page.get_by_role("button", name="Send the request").click()
    asked = main.get_by_role("listitem").filter(has_text="Not answered yet")
    expect(asked).to_have_count(2)
    expect(asked.first).to_contain_text("A Max seat")
    expect(asked.last).to_contain_text("5,000 Credits a month")
    assert overhang(page) <= 0

    page.context.clear_cookies()
    arrive(page, url, ann)
    page.goto(f"{url}/teams/acme/requests/")
    assert overhang(page) <= 0
    expect(main).to_contain_text("No Max seat is free.")
    page.get_by_role("link", name=f"Move seat {seat.number} to Max: $30.00 more a month").click()
    expect(page.get_by_role("heading", name=f"Seat {seat.number}, held by mia@example.com")).to_be_visible()
    page.get_by_role("button", name="Confirm").click()
    expect(main).to_contain_text("This granted the request of mia@example.com.")
    page.get_by_role("button", name="Menu", exact=True).click()
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("link", name="Requests").click()
    expect(page.get_by_role("button", name="Assign this seat")).to_have_count(0)
    page.get_by_label("At most, a calendar month").fill("2000")
    page.get_by_role("button", name="Give this access").click()
    answered = page.get_by_role("region", name="Answered requests")
    expect(answered).to_contain_text(f"Seat {seat.number} (Max) assigned by ann@example.com")
    assert overhang(page) <= 0
    expect(answered).to_contain_text("at most 2,000 Credits a calendar month")

    mailer.deliver_due(at=timezone.now())
    subjects = [message.subject for message in mail.outbox if message.to == ["mia@example.com"]]
    assert subjects[-2:] == ["You have a seat of the plan Max in Acme", "You may use the Credits of Acme"]
    page.context.clear_cookies()
    arrive(page, url, mia)
    expect(main).to_contain_text(f"Seat {seat.number} (Max) assigned by ann@example.com")
    expect(main).to_contain_text("Access to Credits given by ann@example.com: at most 2,000 Credits")
