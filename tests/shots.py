"""Takes pictures of every page of a running demo, in both themes, as wide as a phone and a desktop. It ends
with an error that names each picture which is not of the page it is named after. A guest is made first, who
buys, invites and adds factors; passkeys need a demo whose BASE_URL is at `localhost`.

.venv/bin/python -m tests.shots --demo var/demo.json --out var/shots
.venv/bin/python -m tests.shots --demo var/demo.json --readme docs/images
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import django
from playwright.sync_api import Browser, Cookie, Page, expect, sync_playwright

from tests.helpers.chromium import FLAGS, chromium
from tests.helpers.pictured_pages import (
    ANONYMOUS,
    API_ACCOUNT,
    LED_TO,
    OF_ONES_OWN,
    OPERATORS_FORMS,
    OPERATORS_LISTS,
    OPERATORS_PAGES,
    PRINTED,
    TEAM_PAGES,
    TOOLS,
    WITH_FACTORS,
)

if TYPE_CHECKING:
    from tests.helpers.guest import Guest

THEMES = ("light", "dark")
WIDTHS = {"wide": (1280, 900), "phone": (390, 844)}


@dataclass(frozen=True)
class Visitor:
    """A browser page in one theme, at one width."""

    page: Page
    url: str
    folder: Path
    sessions: dict[str, list[Cookie]]
    faults: list[str] = field(default_factory=list)

    def shoot(self, path: str, name: str = "", *, status: int = 200) -> None:
        """A picture of the page at this address; a fault, where it is answered otherwise or leads away."""
        answer = self.page.goto(self.url + path)
        got, at = answer.status if answer else None, urlsplit(self.page.url).path
        if got != status or at != urlsplit(path).path:
            self._note(name or path, f"{path} is answered {got} at {at}")
        self.picture(name or path)

    def _note(self, name: str, fault: str) -> None:
        self.faults.append(f"{self.folder.name}/{name}: {fault}")

    def picture(self, name: str) -> None:
        if not self.page.locator("h1").count():
            self._note(name, f"the page at {self.page.url} has no heading")
        file = (name.strip("/").replace("/?", "-").replace("/", "-") or "front") + ".png"
        expect(self.page.locator("[hx-trigger=load], .htmx-request")).to_have_count(0)
        self.page.screenshot(path=self.folder / file, full_page=True)  # makes the folder
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        if self.page.evaluate(too_wide):
            print(f"{self.folder.name}/{file}: wider than the screen")

    def sign_in(self, email: str, password: str) -> None:
        """Anew in each window: proofs are asked for again."""
        self.page.context.clear_cookies()
        self.give_password(email, password)
        self.page.wait_for_url("**/account/")
        self.sessions[email] = self.page.context.cookies()

    def give_password(self, email: str, password: str) -> None:
        self.page.goto(self.url + "/accounts/login/")
        self.page.locator("input[name=login]").fill(email)
        self.page.locator("input[name=password]").fill(password)
        self.page.locator("input[name=password]").press("Enter")

    def enter(self, email: str, password: str) -> None:
        """With the session of an earlier window: the console limits how often one address signs in."""
        if email not in self.sessions:
            self.sign_in(email, password)
        else:
            self.page.context.clear_cookies()
            self.page.context.add_cookies(self.sessions[email])  # type: ignore[arg-type]  # as they were read
            self.page.goto(self.url + "/account/")

    def open_first(self, path: str, leads_to: str, name: str) -> None:
        """A picture of the first page at such an address that this one leads to; a fault, where to none."""
        self.page.goto(self.url + path)
        links = self.page.locator("main a, #content a").evaluate_all("links => links.map((a) => a.pathname)")
        if found := next((link for link in links if re.search(leads_to, link)), None):
            self.shoot(found, name)
        else:
            self._note(name, f"no link of {path} leads to {leads_to}")

    def prove(self, password: str, name: str = "account-confirm-password") -> None:
        """With a picture of the page that asks for it; keys are shown for some minutes then."""
        self.shoot("/accounts/reauthenticate/", name)
        self.page.locator("main input[name=password]").fill(password)
        self.page.locator("main input[name=password]").press("Enter")
        self.page.wait_for_url(lambda address: "/reauthenticate/" not in address)

    def print_view(self, path: str, name: str) -> None:
        self.page.emulate_media(media="print")
        self.shoot(path, f"print-{name}")
        self.page.emulate_media(media="screen")

    def gallery(self) -> None:
        """The usage bar in each of its states, those of a kind on one page, and the whole ones each alone."""
        gallery = importlib.import_module("tests.helpers.gallery")  # its models need Django's set-up
        for kind in ("compact", "support", "whole"):
            gallery.show_gallery(self.page, self.url, kind)
            self.picture(f"usage-bars-{kind}")
        for name in gallery.states():
            self.page.locator(f"#{name}").screenshot(path=self.folder / f"usage-bar-{name}.png")


def shoot_all(demo: dict[str, Any], mails: Path, out: Path, language: str, themes: Iterable[str]) -> None:
    """Every page as an Owner sees it, those of the API account, and Home of everybody in each of its states;
    the operators' pages, errors, what is printed, and what a guest comes to by mails and verbs."""
    welcome = importlib.import_module("tests.helpers.guest").welcome  # needs Django's set-up
    people = demo["people"]
    by_role = {person["role"]: person for person in reversed(people)}
    by_name = {person["email"].partition("@")[0]: person for person in reversed(people)}
    faults: list[str] = []
    guest = None
    for visitor in _visitors(demo["url"], out, language, themes=themes):
        guest = guest or welcome(visitor.page, visitor.url, mails, by_role["operator"])
        shoot_everything(visitor, by_role, by_name, guest)
        faults += visitor.faults
    if faults:
        raise SystemExit("\n".join(faults))


def shoot_everything(
    visitor: Visitor,
    by_role: Mapping[str, dict[str, str]],
    by_name: Mapping[str, dict[str, str]],
    guest: Guest,
) -> None:
    """In one theme, at one width."""
    for path in ANONYMOUS:
        visitor.shoot(path)
    visitor.shoot("/nothing-here/", status=404)
    visitor.gallery()
    _shoot_owner(visitor, by_role["owner"])
    _shoot_api_account(visitor, by_name["greta"])
    member = by_role["member"]
    visitor.enter(member["email"], member["password"])
    for what in ("seat", "credit"):
        visitor.shoot(f"/account/{what}-requests/{member['team']}/", f"account-{what}-request")
    visitor.shoot(f"/teams/{member['team']}/settings/", "refused-403", status=403)
    for name, person in by_name.items():
        visitor.enter(person["email"], person["password"])
        visitor.picture(f"home-of-{name}")
        if person["role"] != "operator":
            visitor.shoot(f"/teams/{person['team']}/", f"overview-of-{name}")
    for page in ("members/", "seats/"):
        visitor.enter(by_name["hana"]["email"], by_name["hana"]["password"])
        visitor.shoot(f"/teams/hooli/{page}", f"large-{page}")
    _shoot_operator(visitor, by_role["operator"])
    shoot_guest(visitor, guest)


def _shoot_owner(visitor: Visitor, owner: dict[str, str]) -> None:
    visitor.sign_in(owner["email"], owner["password"])
    visitor.shoot("/account/")
    visitor.prove(owner["password"])
    visitor.open_first("/account/", r"^/account/keys/[\w-]+/$", "account-key")
    visitor.open_first("/account/", r"^/account/keys/[\w-]+/rotate/$", "account-rotate")
    visitor.open_first("/plans/choose/?plan=max", r"/billing/subscribe/$", "team-subscribe")
    for tool in ("quickstart", *TOOLS):
        visitor.shoot(f"/account/tools/{owner['team']}/{tool}/", f"account-{tool}")
    visitor.shoot(f"/account/usage/{owner['team']}/", "account-usage")
    visitor.shoot(f"/account/refused/{owner['team']}/", "account-refused")
    visitor.open_first(f"/account/usage/{owner['team']}/", r"/usage/[\w-]+/[\w-]{36}/$", "account-receipt")
    visitor.shoot(f"/account/credits/{owner['team']}/", "account-own-cap")
    for path in OF_ONES_OWN:
        visitor.shoot(path)
    team = f"/teams/{owner['team']}/"
    for page in TEAM_PAGES:
        visitor.shoot(team + page, f"team-{page}")
    for path, leads_to, name in LED_TO:
        visitor.open_first(team + path, leads_to, name)
    choose_members(visitor, team)
    for page in PRINTED:
        visitor.print_view(team + page, page)


def choose_members(visitor: Visitor, team: str) -> None:
    """What is asked before anything is done to those who were ticked; nothing is done."""
    visitor.page.goto(f"{visitor.url}{team}members/")
    visitor.page.locator("input[name=member]").last.check()
    visitor.page.locator("select[name=verb]").select_option("take-seat")
    visitor.page.locator(".bulk-bar button[type=submit]").click()
    visitor.page.wait_for_url("**/members/act/")
    visitor.picture("team-members-act")


def _shoot_api_account(visitor: Visitor, owner: dict[str, str]) -> None:
    visitor.enter(owner["email"], owner["password"])
    team = f"/teams/{owner['team']}/"
    for page in API_ACCOUNT:
        visitor.shoot(team + page, f"team-{page}")
    visitor.prove(owner["password"])
    shoot_keys(visitor, team)


def shoot_keys(visitor: Visitor, team: str) -> None:
    """The first API key of the Team, its text, and how it is rotated."""
    visitor.open_first(f"{team}api-keys/", r"/api-keys/\d+/$", "team-api-key")
    key = visitor.page.url.removeprefix(visitor.url)
    for verb in ("show", "rotate"):
        visitor.open_first(key, rf"/api-keys/\d+/{verb}/$", f"team-api-key-{verb}")


def _shoot_operator(visitor: Visitor, operator: dict[str, str]) -> None:
    visitor.enter(operator["email"], operator["password"])
    visitor.shoot("/admin/")
    for model in OPERATORS_LISTS:
        visitor.shoot(f"/admin/billing/{model}/", f"operator-{model}")
    for page in OPERATORS_PAGES:
        visitor.shoot(f"/admin/{page}", f"operator-{page.partition('?')[0]}")
    for what, name in (("acme", "support-search"), ("olivia@acme.example", "support-person")):
        visitor.page.goto(f"{visitor.url}/admin/")
        visitor.page.locator("input[type=search]").first.fill(what)
        visitor.page.locator("input[type=search]").first.press("Enter")
        visitor.page.wait_for_url("**/support/**")
        visitor.picture(name)
    person = visitor.page.url.removeprefix(visitor.url)
    moment = datetime.now(UTC) - timedelta(days=1)
    visitor.shoot(f"{person}?at={moment:%Y-%m-%dT%H:%M}", "support-person-as-at")
    visitor.open_first(person, r"/usageevent/[\w-]+/change/$", "operator-charge")
    charge = visitor.page.url.removeprefix(visitor.url)
    visitor.shoot(re.sub("/change/$", "/correct/", charge), "operator-correct")
    visitor.open_first(person, r"/support/teams/\d+/$", "support-team")
    team = visitor.page.url.rstrip("/").rpartition("/")[2]
    for verb in OPERATORS_FORMS:
        visitor.shoot(f"/admin/teams/team/{team}/{verb}/", f"operator-{verb}")


def shoot_guest(visitor: Visitor, guest: Guest) -> None:
    """Before signing in, between the two factors, and after."""
    visitor.page.context.clear_cookies()
    visitor.shoot(guest.confirmation, "account_confirm_email")
    visitor.shoot(guest.invitation, "join")
    visitor.shoot(guest.invite_link, "invite")
    visitor.page.goto(visitor.url + guest.new_password)
    visitor.page.wait_for_url("**-set-password/")
    visitor.picture("account_reset_password_from_key")
    visitor.give_password(guest.email, guest.password)
    visitor.page.wait_for_url("**/second-factor/")
    visitor.picture("mfa_authenticate")
    visitor.page.context.clear_cookies()
    visitor.page.context.add_cookies(guest.cookies)  # type: ignore[arg-type]  # as they were read
    for path, name in ((guest.checkout, "team-checkout"), (guest.bulk_action, "team-bulk-action")):
        visitor.shoot(path, name)
    visitor.prove(guest.password, "account-confirm-password-or-factor")
    for path in WITH_FACTORS:
        visitor.shoot(path, f"factors{path}")
    for verb in ("rename", "remove"):
        visitor.open_first("/account/security/", rf"/passkeys/\d+/{verb}/$", f"factors-passkey-{verb}")


def _visitors(
    url: str,
    out: Path,
    language: str,
    *,
    widths: Iterable[str] = tuple(WIDTHS),
    themes: Iterable[str] = THEMES,
) -> Iterator[Visitor]:
    sessions: dict[str, list[Cookie]] = {}
    with sync_playwright() as playwright:
        program = chromium(Path(tempfile.gettempdir()))
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for theme in themes:
            for name in widths:
                folder = out / f"{theme}-{name}"
                yield Visitor(_page(browser, theme, language, *WIDTHS[name]), url, folder, sessions)
        browser.close()


def _page(browser: Browser, theme: str, language: str, width: int, height: int) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        locale=language,
        timezone_id="UTC",
    )
    return context.new_page()


def shoot_readme(demo: dict[str, Any], folder: Path) -> None:
    """The two pictures in the README: a bar whose window is full, and what a Team has spent."""
    by_name = {person["email"].partition("@")[0]: person for person in demo["people"]}
    carla, olivia = by_name["carla"], by_name["olivia"]
    for visitor in _visitors(demo["url"], folder, "en-US", widths=("wide",), themes=("light",)):
        visitor.page.set_viewport_size({"width": 900, "height": 700})
        visitor.sign_in(carla["email"], carla["password"])
        visitor.page.locator("main section").first.screenshot(path=folder / "bar.png")
        visitor.sign_in(olivia["email"], olivia["password"])
        visitor.page.goto(f"{visitor.url}/teams/{olivia['team']}/usage/")
        chart = visitor.page.locator("main section", has=visitor.page.locator("canvas"))
        chart.first.screenshot(path=folder / "usage.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("var/demo.json"))
    parser.add_argument("--out", type=Path, default=Path("var/shots"))
    parser.add_argument("--readme", type=Path, help="take the README's two instead, into this folder")
    parser.add_argument("--language", default="en-US", help="zh-CN: in Chinese")
    parser.add_argument("--themes", nargs="+", default=THEMES, choices=THEMES)
    given = parser.parse_args()
    demo = json.loads(given.demo.read_text())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenplan.settings")
    os.environ.setdefault("STATIC_ROOT", str(given.demo.resolve().parent / "static"))
    django.setup()
    if given.readme:
        shoot_readme(demo, given.readme)
    else:
        shoot_all(demo, given.demo.parent / "mail", given.out, given.language, given.themes)


if __name__ == "__main__":
    main()
