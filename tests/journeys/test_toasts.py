"""What is said after an act: read aloud once, there for as long as one needs it, and never in the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from teams.models import Membership, SeatHolding
from tests.helpers.axe import violations
from tests.helpers.browsing import arrive, press_in_menu
from tests.helpers.factories import make_member, make_plan, make_seat, make_team, make_user, owner_of

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# What comes into the region that is read aloud, each time that anything does.
SPOKEN = """window.spoken = [];
new MutationObserver((changes) => changes.filter(({ target }) => target.id === "toasts").forEach(
    ({ addedNodes }) => window.spoken.push(...[...addedNodes].map((node) => node.textContent.trim()))
)).observe(document, { childList: true, subtree: true });"""
LIVE = "[aria-live], [role=status], [role=alert], [role=log]"


@pytest.fixture
def mia() -> Membership:
    """A member of Acme who holds its seat; Acme's Owner, ann@example.com, holds none."""
    at = timezone.now() - timedelta(hours=1)
    team = make_team("Acme", owner=make_user("ann@example.com", at=at), at=at)
    mia = make_member(team, make_user("mia@example.com", at=at), at=at)
    make_seat(team, make_plan("max", at=at), holder=mia, at=at)
    return mia


def _free_the_seat(page: Page, url: str, mia: Membership) -> None:
    seat = SeatHolding.objects.get(membership=mia).seat
    arrive(page, url, owner_of(mia.team).user)
    page.goto(f"{url}/teams/acme/seats/{seat.pk}/")
    press_in_menu(page, "Free the seat…", "Free the seat")


def test_a_seat_is_had_back_by_keyboard_however_long_one_waits(
    browser_page: Page, live_server: LiveServer, mia: Membership
) -> None:
    page, toast = browser_page, browser_page.locator("#toasts > *")
    page.clock.install()
    page.add_init_script(SPOKEN)
    _free_the_seat(page, live_server.url, mia)
    expect(toast).to_have_count(1)
    assert len(page.evaluate("spoken")) == 1
    assert toast.locator(LIVE).count() == 0
    assert toast.get_attribute("role") is None
    themes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for theme in themes:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # no colour is half way
        assert violations(page) == []
    page.clock.run_for(120_000)
    expect(toast).to_be_visible()

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # past the menu
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(toast).to_contain_text("Undone: Seat 1 is as it was before.")
    assert SeatHolding.objects.get(ended_at=None).membership == mia

    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(toast).to_have_count(0)


def test_what_went_well_leaves_once_it_is_read_and_nobody_is_at_it(
    browser_page: Page, live_server: LiveServer, mia: Membership
) -> None:
    page, toast = browser_page, browser_page.locator("#toasts > *")
    page.clock.install()
    arrive(page, live_server.url, mia.user)
    motions: tuple[Literal["no-preference", "reduce"], ...] = ("no-preference", "reduce")
    for motion in motions:
        page.emulate_media(reduced_motion=motion)
        page.goto(f"{live_server.url}/account/profile/")
        page.get_by_label("Display name").fill(f"Mia {motion}")
        page.get_by_role("main").get_by_role("button", name="Save").first.click()
        expect(toast).to_contain_text(f"You are shown as Mia {motion}.")
        page.clock.run_for(4_000)
        expect(toast).to_be_visible()
        if motion == "no-preference":
            toast.hover()
            page.clock.run_for(60_000)
            expect(toast).to_be_visible()
            page.mouse.move(0, 0)
            page.clock.run_for(10_000)
            expect(toast).to_have_count(0)
    # It would be gone from one moment to the next.
    page.clock.run_for(60_000)
    toast.get_by_role("button", name="Close").focus()
    page.keyboard.press("Escape")
    expect(toast).to_have_count(0)
    expect(page.locator("#main")).to_be_focused()


def test_an_error_stays_until_it_is_closed_also_one_that_came_with_a_part_of_a_page(
    browser_page: Page, live_server: LiveServer, mia: Membership
) -> None:
    page, toast, url = browser_page, browser_page.locator("#toasts > *"), live_server.url
    page.clock.install()
    arrive(page, url, owner_of(mia.team).user)
    page.goto(f"{url}/teams/acme/members/")
    token = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
    refused = page.request.post(
        f"{url}/language/",
        form={"csrfmiddlewaretoken": token, "language": "xx"},
        headers={"Referer": f"{url}/"},
        max_redirects=0,
    )
    assert refused.status == 302
    page.get_by_role("searchbox", name="Name or e-mail address").fill("mia")
    page.clock.run_for(1_000)
    expect(toast).to_contain_text("Choose one of the languages.")
    page.clock.run_for(120_000)
    expect(toast).to_be_visible()
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    toast.get_by_role("button", name="Close").click()
    expect(toast).to_have_count(0)


def test_without_scripts_it_is_an_alert_above_the_page(
    browser_page: Page, live_server: LiveServer, mia: Membership
) -> None:
    browser = browser_page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False, locale="en-US")
    page = context.new_page()
    _free_the_seat(page, live_server.url, mia)
    said = page.get_by_role("status").filter(has=page.get_by_role("button", name="Undo"))
    expect(said).to_be_visible()
    expect(said.get_by_role("button", name="Close")).to_be_hidden()
    assert said.evaluate("node => getComputedStyle(node.parentElement).position") == "static"
    said.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("main")).to_contain_text("Undone: Seat 1 is as it was before.")
    context.close()
