"""Every page has a picture that is of that page, or is named here with the reason why it has none."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import MagicMock

from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve

from tests.helpers.address_table import NOBODYS
from tests.helpers.console_pages import NOT_WALKED, names_of_pages
from tests.helpers.guest import Guest
from tests.shots import Visitor, shoot_everything

NO_PASSWORD = "it is for those without a password, and nobody gets an account of the demo without one"
WITHOUT_A_PICTURE = dict.fromkeys(("account_set_password", "account_reauthenticate_by_code"), NO_PASSWORD)
GUEST = Guest(
    email="guest@example.com",
    password="",
    cookies=[],
    confirmation="/accounts/confirm-email/key/",
    new_password="/accounts/password/reset/key/1-key/",
    invitation="/invitations/token/",
    invite_link="/invite/code/",
    checkout=f"/teams/acme/billing/checkouts/{NOBODYS}/",
    bulk_action="/teams/acme/bulk/1/",
)
SAMPLES = {"int": "1", "slug": "acme", "uuid": NOBODYS, "str": "other"}


def sample_addresses() -> list[str]:
    """One of each kind that there is, to find which of them a pattern of `shots` means."""

    def walk(resolver: URLResolver, below: str) -> None:
        for pattern in resolver.url_patterns:
            route = below + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                walk(pattern, route)
            elif isinstance(pattern, URLPattern) and not route.startswith("api/"):
                found.append("/" + re.sub(r"<(\w+):\w+>", lambda part: SAMPLES.get(part[1], "x"), route))

    found: list[str] = []
    walk(get_resolver(), "")
    return found


def name_at(path: str) -> str:
    try:
        return str(resolve(path.partition("?")[0]).url_name)
    except Resolver404:
        return ""


@dataclass(frozen=True)
class Listing(Visitor):
    """Goes where the visitor of a demo goes, and opens nothing: which pages there would be pictures of."""

    names: set[str] = field(default_factory=set)

    def shoot(self, path: str, name: str = "", *, status: int = 200) -> None:
        if status == 200:
            found = name_at(path)
            assert found not in ("", "None") or "/change/" in path, f"there is no page at {path}"
            self.names.update((found, name))

    def picture(self, name: str) -> None:
        self.names.add(name)

    def open_first(self, path: str, leads_to: str, name: str) -> None:
        led_to = [address for address in sample_addresses() if re.search(leads_to, address)]
        assert led_to, f"no address is like {leads_to}"
        self.names.update((name_at(led_to[0]), name))

    def gallery(self) -> None:
        pass

    def print_view(self, path: str, name: str) -> None:
        pass


def pictured() -> set[str]:
    person = {"email": "a@example.com", "password": "", "team": "acme", "role": "member"}
    at = f"/admin/quota/usageevent/{NOBODYS}/change/"
    listing = Listing(MagicMock(url=at), "", Path(), {})
    people = defaultdict(lambda: person, operator={**person, "role": "operator"})
    shoot_everything(listing, people, people, GUEST)
    return listing.names


def test_every_page_has_a_picture() -> None:
    without = names_of_pages() - set(NOT_WALKED) - pictured()
    assert sorted(without) == sorted(WITHOUT_A_PICTURE)
