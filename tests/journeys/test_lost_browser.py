"""A browser that does not close its window is ended, and the next test has another."""

from __future__ import annotations

import signal

import psutil
import pytest
from playwright.sync_api import Page

from tests.helpers.one_browser import OneBrowser, close_window

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_a_window_that_does_not_close_ends_the_browser_and_another_is_started(
    browser_page: Page, _browser: OneBrowser
) -> None:
    stuck = [child for child in psutil.Process().children(recursive=True) if "chrom" in child.name().lower()]
    for child in stuck:
        child.send_signal(signal.SIGSTOP)

    close_window(browser_page.context, within=1.0)

    another = _browser.new_context()
    assert another.new_page().title() == ""
    another.close()
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in stuck)
