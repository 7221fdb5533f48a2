"""Every list of the operators fits: beside the navigation and its filters on a laptop, and on a phone."""

from __future__ import annotations

from typing import Literal

import pytest
from django.contrib.admin import site
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from teams.models import User
from tests.helpers.axe import violations
from tests.helpers.browsing import enter, overhang
from tests.helpers.console_pages import signed_in
from tests.helpers.factories import make_team, make_user
from tests.helpers.long_rows import long_row

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
HIDDEN = """() => Math.max(0, ...[...document.querySelectorAll("#content *")]
    .filter((part) => getComputedStyle(part).overflowX !== "visible" && part.clientWidth > 1)
    .map((part) => part.scrollWidth - part.clientWidth))"""


@pytest.fixture
def long_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every list has rows, as long as they come."""
    read = ChangeList.get_results

    def get_results(shown: ChangeList, request: HttpRequest) -> None:
        read(shown, request)
        row = long_row(shown.model)
        for name in shown.queryset.query.annotations:
            setattr(row, name, 12_345)
        shown.result_list = [row]
        shown.result_count = 1

    monkeypatch.setattr(ChangeList, "get_results", get_results)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_no_list_is_scrolled_sideways_on_a_laptop_or_a_phone(
    browser_page: Page, live_server: LiveServer, long_lists: None, language: str
) -> None:
    page, url = browser_page, str(live_server.url)
    operator = make_user(at=timezone.now())
    User.objects.filter(pk=operator.pk).update(is_staff=True, is_superuser=True)
    enter(page, url, signed_in(operator))
    page.context.add_cookies([{"name": "language", "value": language, "url": url}])
    page.set_viewport_size({"width": 1280, "height": 800})
    wider: dict[tuple[str, str], int] = {}
    for model in site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        page.goto(url + reverse(f"admin:{name}_changelist"))
        expect(page.locator("#result_list tbody tr")).to_have_count(1)
        expect(page.locator("#nav-sidebar")).to_be_visible()
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            if hidden := max(overhang(page), page.evaluate(HIDDEN)):
                wider[name, theme] = hidden
        page.set_viewport_size({"width": 320, "height": 640})
        if hidden := max(overhang(page), page.evaluate(HIDDEN)):
            wider[name, "on a phone"] = hidden
        page.set_viewport_size({"width": 1280, "height": 800})
    assert wider == {}


def test_a_list_is_sorted_on_a_phone_by_links_above_its_cards(
    browser_page: Page, live_server: LiveServer
) -> None:
    page, url = browser_page, str(live_server.url)
    operator = make_user("root@example.com", at=timezone.now())
    User.objects.filter(pk=operator.pk).update(is_staff=True, is_superuser=True)
    for name in ("Beta", "Alpha"):
        make_team(name, owner=operator, at=timezone.now())
    enter(page, url, signed_in(operator))
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(url + reverse("admin:teams_team_changelist"))
    cards = page.locator("#result_list tbody tr th")

    page.get_by_role("link", name="Name", exact=True).click()
    expect(cards).to_contain_text(["Alpha", "Beta", "Default Team"])
    page.get_by_role("link", name="Name", exact=True).click()

    expect(cards).to_contain_text(["Default Team", "Beta", "Alpha"])
    assert overhang(page) == 0
    assert violations(page, "#content") == []
