"""Support finds a person by a pasted key, puts a charge right, and sees usage as it comes."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from quota.models import UsageEvent
from teams.models import AuditEntry, User
from tests.helpers.axe import violations
from tests.helpers.browsing import PASSWORD, arrive, enter, overhang
from tests.helpers.console_pages import signed_in
from tests.helpers.factories import USD, limits, make_scene, make_user
from tests.helpers.keyboard import walk_to

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.slow
def test_the_bars_of_a_person_keep_themselves_up_to_date_while_the_page_is_seen(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    scene = make_scene(limits(five_hours=USD, week=10 * USD), at=at)
    scene.desk.use(30, at=at)
    support = make_user("support@example.com", at=at)
    User.objects.filter(pk=support.pk).update(is_staff=True, is_superuser=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/bars/" in request.url else None)
    page.clock.install()
    enter(page, live_server.url, signed_in(support))
    address = f"{live_server.url}/admin/support/people/{scene.owner.user_id}/"
    page.goto(address)
    bar = page.locator(f"[data-live=bar-{scene.owner.pk}]")
    expect(bar).to_contain_text("30%")
    bar.get_by_role("meter").first.evaluate("(node) => { node.isTheSame = true; }")

    scene.desk.use(54, at=timezone.now())
    page.clock.run_for(4000)
    expect(bar).to_contain_text("▲ nearly full")
    expect(page.locator("#bar-news")).to_contain_text("5-hour window: 84 percent used, nearly full")
    assert bar.get_by_role("meter").first.evaluate("(node) => node.isTheSame")
    (question,) = asked  # one for all bars of the page
    assert question.startswith(f"{address}bars/?of=credits-")
    assert f"&of=bar-{scene.owner.pk}" in question
    assert violations(page) == []

    page.set_viewport_size({"width": 320, "height": 640})
    assert violations(page) == []
    assert overhang(page) <= 0
    page.get_by_role("button", name="Show", exact=True).focus()  # behind the parts of the moment's field
    walk_to(page, page.get_by_role("link", name="Grant a seat").first)

    page.evaluate("() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true }); }")
    page.clock.run_for(60_000)
    assert len(asked) <= 2  # at most one that was on its way
    page.goto(f"{address}?at={at - timedelta(minutes=1):%Y-%m-%dT%H:%M}")
    expect(page.get_by_role("status")).to_contain_text("As at")
    known = len(asked)
    page.clock.run_for(60_000)
    assert len(asked) == known


@pytest.mark.slow
def test_a_person_is_found_by_a_pasted_key_and_a_charge_is_corrected(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    scene = make_scene(at=at - timedelta(hours=1))
    charge = scene.desk.use(300, at=at - timedelta(minutes=10))
    support = make_user("support@example.com", password=PASSWORD, at=at)
    User.objects.filter(pk=support.pk).update(is_staff=True, is_superuser=True)
    arrive(page, live_server.url, support)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"{live_server.url}/admin/")
    box = page.get_by_role("searchbox", name="Find a person, a Team, a seat, a key, a call, a payment")
    box.fill(scene.desk.key)
    box.press("Enter")

    expect(page).to_have_url(re.compile(rf"/admin/support/people/{scene.owner.user_id}/$"))
    assert not [url for url in asked if scene.desk.key[18:] in url]
    week = page.get_by_role("meter", name="Weekly window")
    expect(week).to_have_attribute("aria-valuetext", re.compile("^3 percent used"))
    page.get_by_role("link", name=re.compile("^Correct [0-9]")).click()
    page.get_by_label(re.compile("^Calls")).fill("100")
    correct = page.get_by_role("button", name=re.compile("^Correct the charge"))
    correct.click()
    expect(page.get_by_label("Reason")).to_be_focused()  # nothing is sent without one
    assert UsageEvent.objects.get() == charge
    page.get_by_label("Reason").fill("Counted thrice")
    correct.click()

    expect(page).to_have_url(re.compile(rf"/admin/support/people/{scene.owner.user_id}/$"))
    expect(page.get_by_text("The charge is undone; $1.00 are charged instead.")).to_be_visible()
    expect(week).to_have_attribute("aria-valuetext", re.compile("^1 percent used"))
    expect(page.get_by_role("cell", name="Counted thrice")).to_be_visible()
    assert AuditEntry.objects.get(action="usage.corrected").by == support
    page.set_viewport_size({"width": 390, "height": 800})
    assert overhang(page) <= 0


@pytest.mark.slow
def test_on_a_phone_a_list_is_cards_that_say_their_columns_with_folded_filters_above(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, at = browser_page, timezone.now()
    scene = make_scene(at=at)
    support = make_user("support@example.com", at=at)
    User.objects.filter(pk=support.pk).update(is_staff=True, is_superuser=True)
    enter(page, live_server.url, signed_in(support))
    page.set_viewport_size({"width": 390, "height": 800})

    page.goto(f"{live_server.url}/admin/teams/subscriptionkey/?q={scene.owner.user.email}")

    row = page.locator("#result_list tbody tr").first
    expect(row.locator("td.field-membership")).to_have_attribute("data-label", "Membership")
    expect(row.locator("td.field-membership")).to_have_css("display", "block")
    expect(page.get_by_label("Select all objects on this page for an action")).to_be_visible()
    folded = page.locator("#changelist-filter details").first
    choices, box = folded.get_by_role("link"), folded.bounding_box()
    expect(choices.first).not_to_be_visible()
    first = row.bounding_box()
    assert box and first and box["y"] < first["y"]
    folded.locator("summary").click()
    chosen = choices.last.inner_text()
    choices.last.click()
    expect(page.locator("#changelist-filter details[open] .selected").first).to_have_text(chosen)
    page.get_by_role("link", name="Support", exact=True).click()
    expect(page.get_by_role("searchbox")).to_be_visible()
