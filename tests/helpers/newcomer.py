"""A newcomer's way, from the front page to a guide with a key that works: at any console, counted."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.helpers.browsing import PASSWORD
from tests.helpers.counting import Counted
from tests.helpers.stripe_account import GOOD


def key_in_a_guide(page: Page, url: str, email: str, link_mailed: Callable[[], str]) -> tuple[Counted, str]:
    """From the front page to the guide of Claude Code; what was done, and the key that is filled in there."""
    person = Counted(page)
    main = page.get_by_role("main")
    page.goto(url)
    person.click(page.get_by_role("link", name="Choose Max"))
    person.fill(page.get_by_label("E-mail address"), email)
    person.fill(page.get_by_label("Password"), PASSWORD)
    person.click(main.get_by_role("button", name="Sign up"))
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    person.follow(link_mailed())
    person.click(page.get_by_role("button", name="Yes, confirm"))
    person.click(page.get_by_role("button", name="Go to payment"))
    person.fill(page.get_by_label("Card number"), GOOD)
    person.click(page.get_by_role("button", name=re.compile("^Subscribe")))
    person.click(page.get_by_role("link", name="Set up a tool"))
    person.click(page.get_by_role("link", name="Claude Code"))
    settings = page.get_by_role("group", name="~/.claude/settings.json")
    expect(settings).to_contain_text("sk-cp-")
    key = re.search(r"sk-cp-[A-Za-z0-9]{20,}", settings.inner_text())
    assert key, "a placeholder stands where the key belongs"
    return person, key.group()
