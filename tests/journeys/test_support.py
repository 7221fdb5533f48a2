"""Support finds a person by a pasted key, and puts a charge right."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from quota.models import UsageEvent
from teams.models import AuditEntry, User
from tests.helpers.browsing import PASSWORD, arrive, overhang
from tests.helpers.factories import make_scene, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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
    box = page.get_by_role("searchbox", name="Find a person, a Team, a key, a call, a payment")
    box.fill(scene.desk.key)
    box.press("Enter")

    expect(page).to_have_url(re.compile(rf"/admin/support/people/{scene.owner.user_id}/$"))
    assert not [url for url in asked if scene.desk.key[18:] in url]
    week = page.get_by_role("meter", name="Weekly window")
    expect(week).to_have_attribute("aria-valuetext", re.compile("^3 percent used"))
    page.get_by_role("link", name=re.compile("^Correct 20")).click()
    page.get_by_label("Usage").fill('{"calls": 100}')
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
