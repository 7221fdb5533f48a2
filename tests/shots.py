"""Takes pictures of every page of a running demo, in both themes, as wide as a phone and a desktop.

.venv/bin/python -m tests.shots --demo var/demo.json --out var/shots
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
from playwright.sync_api import Browser, Page, sync_playwright

from tests.helpers.chromium import FLAGS, chromium

THEMES = ("light", "dark")
WIDTHS = {"wide": (1280, 900), "phone": (390, 844)}
TOOLS = ("claude-code", "openclaw", "cursor", "trae", "hermes-agent", "other")
ANONYMOUS = (
    "/",
    "/plans/",
    "/plans/?interval=year",
    "/models/",
    "/promotions/",
    "/faq/",
    "/quickstart/",
    "/tools/",
    *(f"/tools/{tool}/" for tool in TOOLS),
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/nothing-here/",
)
TEAM_PAGES = (
    "",
    "members/",
    "invitations/",
    "seats/",
    "requests/",
    "credits/",
    "credits/auto-top-up/",
    "credits/buy/",
    "credits/policy/",
    "credits/purchases/",
    "billing/",
    "billing/invoice-details/",
    "billing/change/?kind=cancel",
    "billing/change/?kind=interval&interval=year",
    "billing/change/?kind=add&plan=max&count=2",
    "usage/",
    "charges/",
    "audit/",
    "settings/",
)
OPERATORS_LISTS = ("payment", "stripeevent", "promotion", "creditpurchase", "subscription", "invoice")


@dataclass(frozen=True)
class Visitor:
    """A browser page in one theme, at one width."""

    page: Page
    url: str
    folder: Path

    def shoot(self, path: str, name: str = "") -> None:
        self.page.goto(self.url + path)
        self.picture(name or path)

    def picture(self, name: str) -> None:
        file = (name.strip("/").replace("/?", "-").replace("/", "-") or "front") + ".png"
        self.page.screenshot(path=self.folder / file, full_page=True)  # makes the folder
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        if self.page.evaluate(too_wide):
            print(f"{self.folder.name}/{file}: wider than the screen")

    def sign_in(self, email: str, password: str) -> None:
        self.page.goto(self.url + "/accounts/login/")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url("**/account/")

    def open_first(self, path: str, link: str, name: str, *, shows: str) -> None:
        """Takes a picture of the page that the first link with such a text leads to, if there is one. A page
        at another address than `shows` is not what the name says: no picture is taken then.
        """
        self.page.goto(self.url + path)
        links = self.page.get_by_role("main").get_by_role("link", name=re.compile(link))
        if not links.count():
            return
        links.first.click()
        if re.search(shows, self.page.url):
            self.picture(name)
        else:
            print(f"{self.folder.name}/{name}: not taken, for the link leads to {self.page.url}")

    def gallery(self) -> None:
        """The usage bar in each of its states, all on one page and each alone."""
        gallery = importlib.import_module("tests.helpers.gallery")  # its models need Django's set-up
        gallery.show_gallery(self.page, self.url)
        self.picture("usage-bars")
        for name in gallery.states():
            self.page.locator(f"#{name}").screenshot(path=self.folder / f"usage-bar-{name}.png")


def shoot_all(demo: dict[str, Any], out: Path) -> None:
    """Every page as an Owner sees it; the account page also as a member, the admin as an operator."""
    by_role = {person["role"]: person for person in reversed(demo["people"])}
    for visitor in _visitors(demo["url"], out):
        for path in ANONYMOUS:
            visitor.shoot(path)
        visitor.gallery()
        owner = by_role["owner"]
        visitor.sign_in(owner["email"], owner["password"])
        visitor.shoot("/account/")
        visitor.open_first(
            "/account/", "^Show key", "account-confirm-password", shows="reauthenticate|/keys?/"
        )
        if visitor.page.get_by_label("Password").count():
            visitor.page.get_by_label("Password").fill(owner["password"])
            visitor.page.get_by_role("button", name="Confirm").click()
            visitor.picture("account-key")
        visitor.open_first("/account/", "^Rotate", "account-rotate", shows="/rotate/")
        visitor.shoot(f"/account/tools/{owner['team']}/quickstart/", "account-quickstart")
        visitor.shoot(f"/account/usage/{owner['team']}/", "account-usage")
        visitor.shoot(f"/account/refused/{owner['team']}/", "account-refused")
        visitor.shoot("/account/profile/")
        visitor.shoot("/account/tokens/")
        visitor.shoot("/account/security/")
        visitor.shoot("/account/notices/")
        visitor.shoot(f"/account/credits/{owner['team']}/", "account-own-cap")
        visitor.shoot("/new-team/")
        visitor.shoot("/plans/choose/?plan=max")
        team = f"/teams/{owner['team']}/"
        for page in TEAM_PAGES:
            visitor.shoot(team + page, f"team-{page}")
        visitor.open_first(team + "seats/", r"^Seat \d+", "team-seat", shows=r"/seats/\d+/$")
        visitor.open_first(team + "charges/", "^Receipt", "team-receipt", shows=r"/charges/[\w-]+/$")
        visitor.open_first(team + "credits/", r"^Change \(", "team-credits-access", shows=r"/access/\d+/$")
        visitor.page.context.clear_cookies()
        member = by_role["member"]
        visitor.sign_in(member["email"], member["password"])
        visitor.picture("account-of-a-member")
        for what in ("seat", "credit"):
            visitor.shoot(f"/account/{what}-requests/{member['team']}/", f"account-{what}-request")
        visitor.page.context.clear_cookies()
        visitor.sign_in(by_role["operator"]["email"], by_role["operator"]["password"])
        visitor.shoot("/admin/")
        for model in OPERATORS_LISTS:
            visitor.shoot(f"/admin/billing/{model}/", f"operator-{model}")
        visitor.shoot("/admin/billing/promotion/add/", "operator-promotion-add")


def _visitors(
    url: str, out: Path, *, widths: Iterable[str] = tuple(WIDTHS), themes: Iterable[str] = THEMES
) -> Iterator[Visitor]:
    with sync_playwright() as playwright:
        program = chromium(Path(tempfile.gettempdir()))
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for theme in themes:
            for name in widths:
                folder = out / f"{theme}-{name}"
                yield Visitor(_page(browser, theme, *WIDTHS[name]), url, folder)
        browser.close()


def _page(browser: Browser, theme: str, width: int, height: int) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        locale="en-US",
        timezone_id="UTC",
    )
    return context.new_page()


def shoot_bar(demo: dict[str, Any], file: Path) -> None:
    """The first card of the first Owner's account page: the picture in the README."""
    owner = next(person for person in demo["people"] if person["role"] == "owner")
    for visitor in _visitors(demo["url"], file.parent, widths=("wide",), themes=("light",)):
        visitor.sign_in(owner["email"], owner["password"])
        visitor.page.set_viewport_size({"width": 900, "height": 700})
        visitor.page.locator("main section").first.screenshot(path=file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("var/demo.json"))
    parser.add_argument("--out", type=Path, default=Path("var/shots"))
    parser.add_argument("--bar", type=Path, help="take this one picture instead, of a usage bar")
    given = parser.parse_args()
    demo = json.loads(given.demo.read_text())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenplan.settings")
    django.setup()
    if given.bar:
        shoot_bar(demo, given.bar)
    else:
        shoot_all(demo, given.out)


if __name__ == "__main__":
    main()
