"""Every list of the operators, and the pages of a row of each: in both themes, and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from django.utils import timezone
from playwright.sync_api import Page, ViewportSize
from pytest_django.live_server_helper import LiveServer

from teams.models import User
from tests.helpers.axe import OF_COLOURS, violations
from tests.helpers.browsing import end_animations, enter, overhang
from tests.helpers.console_pages import signed_in
from tests.helpers.desk_rows import make_desk_rows, pages_of_rows
from tests.helpers.factories import make_user

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
WIDE, NARROW = ViewportSize(width=1280, height=800), ViewportSize(width=320, height=640)


# So many that no process walks alone while the other has nothing left to do.
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_of_a_row_can_be_used_by_everybody_on_any_screen(
    browser_page: Page, live_server: LiveServer, part: int
) -> None:
    make_desk_rows()
    operator = make_user(at=timezone.now())
    User.objects.filter(pk=operator.pk).update(is_staff=True, is_superuser=True)
    operator.refresh_from_db()
    enter(browser_page, live_server.url, signed_in(operator))
    paths = [*pages_of_rows(operator)][part::PARTS]

    faults = [
        f"{path}: {fault}" for path in paths for fault in faults_of(browser_page, f"{live_server.url}{path}")
    ]

    assert faults == [], "\n".join(faults)


def faults_of(page: Page, url: str) -> Iterator[str]:
    """Of the page, and of the one that asks why, where something is done to rows of a list."""
    _show(page, "light")
    answer = page.goto(url)
    if answer is None or answer.status != 200:
        yield f"answered {answer and answer.status}"
        return
    yield from _faults(page)
    if (action := page.locator("select[name=action]")).count():
        page.locator(".action-select").first.check()
        action.select_option(index=1)
        with page.expect_navigation():
            page.locator(".actions button").click()
        yield from (f"asked why: {fault}" for fault in _faults(page))


def _faults(page: Page) -> Iterator[str]:
    """All rules of axe on a laptop; on a phone, in the other theme, those of colours. What stands around the
    page is the same on each: `test_every_page` has seen it.
    """
    page.set_viewport_size(WIDE)
    yield from violations(page, within="main")
    page.set_viewport_size(NARROW)
    _show(page, "dark")
    yield from (f"dark, on a phone: {found}" for found in violations(page, within="main", rules=OF_COLOURS))
    if (wider := overhang(page)) > 0:
        yield f"{wider} px too wide on 320 px"
    _show(page, "light")


def _show(page: Page, theme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    end_animations(page)
