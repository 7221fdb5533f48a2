"""People of a Team in a real browser: many invitations, joining with a seat, moving it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from quota.invitation_lines import read_lines
from quota.services.bulk_actions import start_inviting, work_next_line
from teams.models import SeatHolding
from tests.helpers.axe import violations
from tests.helpers.browsing import arrive, last_link, overhang, path_of
from tests.helpers.cases import many
from tests.helpers.factories import make_member, make_plan, make_seat, make_team, make_user, owner_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.slow
def test_many_are_invited_one_joins_with_a_seat_and_it_is_moved_back(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url, at = browser_page, live_server.url, timezone.now() - timedelta(hours=1)
    team = make_team("Acme", at=at)
    owner = owner_of(team).user
    make_seat(team, make_plan("max", at=at), at=at)
    main = page.get_by_role("main")

    page.set_viewport_size({"width": 320, "height": 640})
    arrive(page, url, owner)
    page.goto(f"{url}/teams/acme/invitations/")
    page.get_by_role("link", name="Invite many at once").click()
    page.get_by_label("One person a line").fill("nobody\nkim@example.com, Max, 5000")
    page.get_by_role("button", name="Check the lines").click()
    expect(main).to_contain_text("This is not an e-mail address.")
    assert overhang(page) == 0
    page.get_by_role("button", name="Invite one person").click()
    expect(main).to_contain_text("1 of 2 lines were invited.")
    link = path_of(last_link())

    page.context.clear_cookies()
    arrive(page, url, make_user("kim@example.com", at=at))
    page.goto(f"{url}{link}")
    expect(main).to_contain_text("You get on joining: Max seat, up to 5,000 Credits a month.")
    page.get_by_role("button", name="Accept and join").click()
    expect(main).to_contain_text("You hold Seat 1.")
    expect(page.get_by_role("meter", name="5-hour window")).to_be_visible()

    page.context.clear_cookies()
    arrive(page, url, owner)
    page.goto(f"{url}/teams/acme/members/")
    page.get_by_role("button", name="Change kim@example.com").click()
    expect(page.get_by_role("link", name="Move or free the seat")).to_be_visible()
    assert overhang(page) == 0
    page.get_by_role("link", name="Move or free the seat").click()
    page.get_by_role("button", name=f"Move to {owner.email}").click()
    expect(main).to_contain_text(f"{owner.email} holds Seat 1 now.")
    page.get_by_role("button", name="Back to kim@example.com").click()
    expect(main).to_contain_text("kim@example.com holds Seat 1 now.")
    assert violations(page, "main") == []
    page.get_by_role("button", name="Undo").click()
    expect(main).to_contain_text("Undone: Seat 1 is as it was before.")
    expect(main).to_contain_text(f"Held by {owner.email}.")


@pytest.mark.parametrize("width", many([390, 1280]))
def test_a_free_seat_is_given_in_two_clicks_from_the_overview_and_taken_back(
    browser_page: Page, live_server: LiveServer, width: int
) -> None:
    page, url, at = browser_page, live_server.url, timezone.now() - timedelta(hours=1)
    team = make_team("Acme", at=at)
    make_seat(team, make_plan("max", at=at), holder=owner_of(team), at=at)
    make_seat(team, make_plan("max", at=at), at=at)
    make_member(team, make_user("kim@example.com", at=at), at=at)
    page.set_viewport_size({"width": width, "height": 800})
    arrive(page, url, owner_of(team).user)
    page.goto(f"{url}/teams/acme/")
    main = page.get_by_role("main")
    expect(main).to_contain_text("1 seat is free. 1 member has none: kim@example.com")

    page.get_by_role("link", name="Give it to somebody").click()
    expect(page.get_by_role("heading", name="Members", exact=True)).to_be_visible()
    assert overhang(page) == 0
    assert violations(page, "main") == []
    page.get_by_role("button", name="Give Max (kim@example.com)").click()

    expect(page.get_by_text("kim@example.com has a seat now.")).to_be_visible()
    assert SeatHolding.objects.current().filter(membership__user__email="kim@example.com").exists()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone: Seat 2 is as it was before.")).to_be_visible()
    assert not SeatHolding.objects.current().filter(membership__user__email="kim@example.com").exists()


def test_all_of_a_page_are_ticked_with_one_box_also_after_a_search(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url = browser_page, live_server.url
    team = make_team("Acme")
    arrive(page, url, owner_of(team).user)
    page.goto(f"{url}/teams/acme/members/?show=managers")
    page.get_by_label("Show").select_option("")
    page.wait_for_url("**/members/?q=&show=")
    page.get_by_label("All on this page").check()
    expect(page.get_by_label(owner_of(team).user.email, exact=True)).to_be_checked()
    page.get_by_label("What to do").select_option("stop-credits")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("main")).to_contain_text("This is for one person:")


@pytest.mark.slow
def test_a_bulk_action_says_by_itself_how_far_it_is(browser_page: Page, live_server: LiveServer) -> None:
    page, url, at = browser_page, live_server.url, timezone.now()
    team = make_team("Acme")
    owner = owner_of(team).user
    lines = read_lines("kim@example.com\nnobody", {})
    action = start_inviting(team=team, lines=lines, by=owner, at=at)
    main = page.get_by_role("main")
    arrive(page, url, owner)
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(f"{url}/teams/acme/bulk/{action.pk}/")
    expect(main).to_contain_text("Done: 0. Refused: 0. Left: 2.")
    assert overhang(page) == 0
    page.get_by_role("button", name="Stop").focus()
    work_next_line(at=at)
    expect(main).to_contain_text("Done: 1. Refused: 0. Left: 1.")
    expect(main).to_contain_text("Invited.")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    while work_next_line(at=at):
        pass
    expect(main).to_contain_text("All lines are done.")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    assert violations(page, "main") == []
