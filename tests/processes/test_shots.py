"""The guest of the pictures comes to every page behind a mail, a verb or a second factor of a demo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.helpers.browsing import another_window
from tests.helpers.guest import welcome
from tests.helpers.installation import Installation
from tests.shots import Visitor, shoot_guest

pytestmark = [pytest.mark.processes, pytest.mark.browser, pytest.mark.slow]


def test_a_guest_comes_to_pages_behind_mails_verbs_and_factors(browser_page: Page, tmp_path: Path) -> None:
    console = Installation(tmp_path / "data")
    # A passkey is of a host that has a name.
    url = console.environment["BASE_URL"] = f"http://localhost:{console.port}"
    try:
        console.start()
        people = json.loads((console.data / "demo.json").read_text())["people"]
        operator = next(person for person in people if person["role"] == "operator")
        guest = welcome(browser_page, url, console.data / "mail", operator)
        with another_window(browser_page) as page:
            visitor = Visitor(page, url, tmp_path / "light", {})
            shoot_guest(visitor, guest)
    finally:
        console.kill()

    assert visitor.faults == []
    assert len(list(visitor.folder.iterdir())) == 16
