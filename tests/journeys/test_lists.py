"""Lists are filtered while somebody types: the list, its file and the address follow, the page stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from quota.invitation_lines import read_lines
from quota.services.bulk_actions import start_inviting, work_next_line
from teams.models import Team
from teams.services.access_tokens import create
from tests.helpers.axe import violations
from tests.helpers.browsing import arrive, overhang
from tests.helpers.factories import CREDIT, give_credits, make_member, make_team, make_user, owner_of
from tests.helpers.stripe_says import Bill, put_on_sale
from tests.helpers.usage_rows import write_event

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CHART = "Chart.getChart(document.querySelector('canvas'))"
Open = Callable[[str], None]


@pytest.fixture
def team() -> Team:
    return make_team("Acme", at=timezone.now() - timedelta(days=2))


@pytest.fixture
def opened(browser_page: Page, live_server: LiveServer, team: Team) -> Open:
    """Opens an address for the Team's Owner; `is_same` says whether the page is still that one."""
    arrive(browser_page, live_server.url, owner_of(team).user)

    def go(address: str) -> None:
        browser_page.goto(live_server.url + address)
        browser_page.evaluate("window.isSame = true")

    return go


def is_same(page: Page) -> bool:
    return page.evaluate("window.isSame === true") is True


def is_usable(page: Page, within: str) -> bool:
    """By everybody, in both themes, and on the narrowest phone without sideways scroll."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # no colour between two
        assert violations(page, within) == []
    page.set_viewport_size({"width": 320, "height": 640})
    return overhang(page) <= 0


def type_into(field: Locator, text: str, address: str) -> None:
    """Letter by letter, until the address says so; the field has kept what was typed, and the focus."""
    field.press_sequentially(text, delay=20)
    field.page.wait_for_url(re.compile(re.escape(address)))
    expect(field).to_be_focused()
    expect(field).to_have_value(text)


@pytest.mark.slow
def test_ones_tokens_are_found_by_name_while_it_is_typed(
    browser_page: Page, team: Team, opened: Open
) -> None:
    page, ada = browser_page, owner_of(team).user
    for name in ("nightly report", "weekly report", "backup"):
        create(user=ada, by=ada, name=name, scope="read", expires_in_days=9, at=timezone.now())
    opened("/account/tokens/")
    rows = page.get_by_role("group", name="Your tokens").locator("tbody tr")
    file = page.get_by_role("link", name="Download as CSV")
    expect(rows).to_have_count(3)

    type_into(page.get_by_role("searchbox", name="Name"), "week", "/account/tokens/?q=week&state=")

    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("weekly report")
    expect(page.get_by_role("status")).to_contain_text("1 token")
    expect(file).to_have_attribute("href", "/account/tokens/file/?q=week&state=")
    page.get_by_label("State").select_option("expired")
    expect(page.locator("#tokens")).to_contain_text("Nothing is found.")
    assert is_same(page)
    assert is_usable(page, "main")
    page.reload()
    expect(page.get_by_role("searchbox", name="Name")).to_have_value("week")
    expect(page.get_by_label("State")).to_have_value("expired")


@pytest.mark.slow
def test_who_may_use_credits_is_found_beside_a_filtered_ledger(
    browser_page: Page, team: Team, opened: Open
) -> None:
    page, at = browser_page, timezone.now()
    give_credits(team, 600 * CREDIT, at=at)
    for name in ("mia", "kim", "noah"):
        make_member(team, make_user(f"{name}@example.com", at=at), at=at)
    opened("/teams/acme/credits/?kind=expiry")
    people = page.get_by_role("group", name="Who may use them").locator("tbody tr")
    entries = page.locator("#entries")
    expect(people).to_have_count(4)
    expect(entries).to_contain_text("No entries.")

    type_into(page.get_by_label("Name or e-mail address"), "kim", "kind=expiry")

    expect(people).to_have_count(1)
    expect(people).to_contain_text("kim@example.com")
    expect(entries).to_contain_text("No entries.")
    file = page.get_by_role("link", name="Download as CSV (Who may use them)")
    expect(file).to_have_attribute("href", "/teams/acme/credits/access/file/?q=kim")
    page.get_by_label("Kind").select_option("")
    expect(entries).to_contain_text("600")
    page.wait_for_url(re.compile("q=kim"))
    expect(people).to_have_count(1)
    assert is_same(page)
    assert is_usable(page, "main")


@pytest.mark.slow
def test_a_chart_is_drawn_anew_for_what_is_filtered_by_and_a_wrong_range_is_said_at_its_field(
    browser_page: Page, team: Team, opened: Open
) -> None:
    page, at = browser_page, timezone.now()
    for model in ("penny", "painter"):
        write_event(owner_of(team), 10**9, at=at - timedelta(days=1), model=model)
    opened("/teams/acme/usage/")
    page.wait_for_function(f"() => {CHART}.data.datasets.length === 1")
    page.evaluate(f"window.first = {CHART}")

    page.get_by_label("Split by").select_option("model")

    page.wait_for_function(f"() => {CHART} && {CHART} !== window.first && {CHART}.data.datasets.length === 2")
    assert page.evaluate("window.first.canvas") is None, "What is gone draws no more."
    expect(page.get_by_role("link", name="Download as CSV")).to_have_attribute(
        "href", re.compile("group=model.*format=csv")
    )
    light = page.evaluate(f"{CHART}.data.datasets[0].backgroundColor")
    page.get_by_role("button", name="Light or dark theme").click()
    page.wait_for_function(f"() => {CHART}.data.datasets[0].backgroundColor !== '{light}'")

    start, end = page.get_by_label("From", exact=True), page.get_by_label("To", exact=True)
    usual = start.input_value()
    start.fill("2020-01-01")
    expect(page.locator("#id_end_error")).to_contain_text("at most 366 days")
    expect(page.locator("#used canvas")).to_have_count(0)
    assert is_usable(page, "main")
    start.fill(usual)
    expect(page.locator("#id_end_error")).to_be_empty()
    page.wait_for_function(f"() => {CHART}.data.datasets.length === 2")
    end.fill(usual)
    expect(page.locator("#used")).to_contain_text("Nothing was used in these days.")
    assert is_same(page)


@pytest.mark.slow
def test_a_seat_that_is_paid_for_is_found_while_others_stay_ticked(
    browser_page: Page, live_server: LiveServer
) -> None:
    page = browser_page
    put_on_sale()
    bill = Bill()
    bill.say({"plus": 21, "max": 1})
    arrive(page, live_server.url, owner_of(bill.team).user)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/teams/{bill.team.slug}/billing/")
    page.evaluate("window.isSame = true")
    expect(page.get_by_role("link", name="Change", exact=True)).to_be_in_viewport(ratio=1)
    seats = page.locator("#paid-seats")
    expect(seats.get_by_role("checkbox")).to_have_count(20)
    page.get_by_role("checkbox", name="Seat 1", exact=True).check()

    type_into(page.get_by_role("searchbox", name="Holder, number or plan"), "max", "q=max")

    expect(seats.get_by_role("checkbox")).to_have_count(1)
    expect(seats).to_contain_text("1 seat that is not shown here is ticked too.")
    page.get_by_role("checkbox", name="Seat 22").check()
    assert is_same(page)
    assert is_usable(page, "main")
    with page.expect_request(re.compile("/billing/change/")) as asked:
        page.get_by_role("button", name="Give up").click()
    ids = [str(state.seat.pk) for state in bill.seats()]
    assert re.findall(r"seats=(\d+)", asked.value.url) == [ids[0], ids[21]]


@pytest.mark.slow
def test_lines_of_a_bulk_action_are_filtered_while_it_is_worked(
    browser_page: Page, team: Team, opened: Open
) -> None:
    page, at = browser_page, timezone.now()
    lines = read_lines("kim@example.com\nnobody\nmia@example.com", {})
    action = start_inviting(team=team, lines=lines, by=owner_of(team).user, at=at)
    opened(f"/teams/acme/bulk/{action.pk}/")
    rows = page.locator("#results tbody tr")
    expect(rows).to_have_count(3)

    page.get_by_label("Show", exact=True).select_option("refused")

    expect(rows).to_have_count(0)
    for _ in range(2):
        work_next_line(at=at)
    expect(rows).to_have_count(1)  # which the page has asked for by itself
    expect(rows).to_contain_text("nobody")
    assert is_same(page)
    assert is_usable(page, "main")
