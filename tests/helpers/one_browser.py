"""One Chromium for all the browser tests of a process, started again where it was lost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, BrowserContext, Error, Playwright

from tests.helpers.chromium import FLAGS, chromium

# Seconds in which a window is closed, on any machine.
CLOSES_WITHIN = 60.0


class OneBrowser:
    """Is started with the first window."""

    def __init__(self, playwright: Playwright, lock_folder: Path) -> None:
        self._playwright = playwright
        self._executable = chromium(lock_folder)
        self._browser: Browser | None = None

    def new_context(self, **options: Any) -> BrowserContext:
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._playwright.chromium.launch(executable_path=self._executable, args=FLAGS)
        return self._browser.new_context(**options)

    def close(self) -> None:
        if self._browser is not None and self._browser.is_connected():
            self._browser.close()


def close_window(context: BrowserContext, within: float = CLOSES_WITHIN) -> None:
    """Chromium has been seen never to answer that a window is closed, after a passkey was asked for there.
    Playwright waits for ever then: so the browser is ended, and the next test starts another.
    """
    ended = threading.Event()
    late = threading.Timer(within, _end_browsers, [ended])
    late.start()
    try:
        context.close()
    except Error:
        if not ended.is_set():
            raise
    finally:
        late.cancel()


def _end_browsers(ended: threading.Event) -> None:
    """Those of this process; Playwright notices."""
    ended.set()
    for child in psutil.Process().children(recursive=True):
        if "chrom" in child.name().lower():
            child.kill()
