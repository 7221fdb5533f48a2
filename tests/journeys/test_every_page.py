"""Every page of the console in both themes: everybody can use it, on any screen; it is light, and alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, Request, Route, ViewportSize
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from tests.helpers.axe import OF_WORDS, violations
from tests.helpers.browsing import end_animations, enter, overhang, settled
from tests.helpers.buyer import Buyer
from tests.helpers.console_pages import (
    NOT_WALKED,
    WALKERS,
    Walker,
    names_of_pages,
    of_a_subscription,
    signed_in,
)
from tests.helpers.contrast import faint_fields
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.tenants import make_rows
from tests.helpers.weight import MOST_BYTES, sizes_of_files
from tokenplan.middleware import CONTENT_SECURITY_POLICY
from tokenplan.static_files import gather

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
WIDE = ViewportSize(width=1280, height=900)
# As wide as a small phone, and as the wide window at 200 %.
NARROW = {
    "on 320 px": ViewportSize(width=320, height=640),
    "at 200 %": ViewportSize(width=640, height=450),
}
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
HIDES = "[...document.querySelectorAll('.sidebar')].some((bar) => bar.scrollWidth > bar.clientWidth)"
# Words that stick out of their card, in nothing that can be scrolled.
SPILLS = """() => {
  const out = [];
  for (const card of document.querySelectorAll("main .card")) {
    const texts = document.createTreeWalker(card, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const { currentNode: text } = texts, words = document.createRange();
      words.selectNode(text);
      const sticksOut = words.getBoundingClientRect().right > card.getBoundingClientRect().right;
      const scrolls = text.parentElement.closest(".visually-hidden, .table-responsive, pre");
      if (text.data.trim() && sticksOut && !scrolls) out.push(text.data.trim());
    }
  }
  return out;
}"""
# The page and what it loaded: where each is, and how many bytes of it came over the wire, compressed or not.
LOADED = """() => ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
  .map(({ name, encodedBodySize }) => [new URL(name).pathname, encodedBodySize])"""


@dataclass
class Watch:
    """What a page did that none may do, and what is wrong with it, a line each."""

    page: Page
    url: str
    folder: Path
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sizes = sizes_of_files(self.folder)
        self.page.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        self.page.on("request", self._foreign)

    def check(self, path: str) -> None:
        self._show(THEMES[0])
        answer = self.page.goto(self.url + path)
        assert answer
        settled(self.page)
        if answer.status != 200 or urlsplit(self.page.url).path != urlsplit(path).path:
            self._note(f"{path} is answered {answer.status} at {self.page.url}")
        if (weight := self._weight()) > MOST_BYTES:
            self._note(f"{weight} bytes")
        if self.page.evaluate(HIDES):
            self._note("the sidebar is narrower than what is in it")
        for theme in THEMES:
            self._check_colours(theme)
        for where, size in NARROW.items():
            self.page.set_viewport_size(size)
            if (wider := overhang(self.page)) > 0:
                self._note(f"{wider} px too wide {where}")
            for words in self.page.evaluate(SPILLS):
                self._note(f"“{words}” sticks out of its card {where}")
        self.page.set_viewport_size(WIDE)

    def _check_colours(self, theme: Literal["light", "dark"]) -> None:
        self._show(theme)
        for found in violations(self.page):
            self._note(f"{theme}: {found}")
        for name in faint_fields(self.page):
            self._note(f"{theme}: the edge of {name} cannot be seen")

    def _show(self, theme: Literal["light", "dark"]) -> None:
        """The system's theme, which pages follow while nobody has chosen one; until every colour is there."""
        self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        end_animations(self.page)

    def _weight(self) -> int:
        """As the web server sends it: pages as they came, since one with a secret is not compressed; static
        files as they are where they are gathered.
        """
        sent: dict[str, int] = dict(self.page.evaluate(LOADED))
        return sum(self.sizes.get(path, size) for path, size in sent.items())

    def _foreign(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:", "blob:")):
            self._note(f"asks {request.url}")

    def _note(self, fault: str) -> None:
        self.faults.append(f"{urlsplit(self.page.url).path}: {fault}")


def faults(page: Page, url: str, folder: Path, pages: Iterable[tuple[str, str]]) -> list[str]:
    page.set_viewport_size(WIDE)
    watch = Watch(page, url, folder)
    for _, path in pages:
        watch.check(path)
    return watch.faults


@pytest.fixture
def url(live_server: LiveServer, settings: Settings) -> str:
    """Passkeys are made for the host of BASE_URL; every guide can be followed."""
    settings.BASE_URL = live_server.url
    settings.GATEWAY_ANTHROPIC_URL = "https://gateway.example/anthropic"
    settings.GATEWAY_OPENAI_URL = "https://gateway.example/v1"
    return str(live_server.url)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gather(tmp_path_factory.mktemp("gathered") / "static")


@pytest.mark.parametrize("walker", WALKERS, ids=lambda walker: walker.__name__)
def test_every_page_can_be_used_by_everybody_on_any_screen(
    browser_page: Page, url: str, folder: Path, walker: Walker
) -> None:
    at = timezone.now() - timedelta(minutes=2)
    walk = walker(make_rows(at=at), at)
    if walk.client.cookies:
        enter(browser_page, url, walk.client)
    assert faults(browser_page, url, folder, walk.pages) == []


def test_so_can_every_page_of_a_subscription(
    browser_page: Page, url: str, folder: Path, account: StripeAccount
) -> None:
    buyer = Buyer(account)
    buyer.subscribe({"max": 2})
    enter(browser_page, url, signed_in(buyer.user))
    assert faults(browser_page, url, folder, of_a_subscription(buyer.team)) == []


def test_so_can_the_page_of_a_refusal(browser_page: Page, url: str, folder: Path) -> None:
    """As it is answered, but with the status of a page that is there: the browser writes others down."""
    made = make_rows(at=timezone.now())
    member = signed_in(made.users["member"])
    asked = [("404", "/nothing/here/"), ("403", reverse("team-settings", args=[made.team.slug]))]
    for status, path in asked:
        answer = member.get(path)
        assert answer.status_code == int(status)
        browser_page.route(f"{url}{path}", answered(answer.content))
    enter(browser_page, url, member)
    assert faults(browser_page, url, folder, asked) == []


@pytest.mark.parametrize("walker", WALKERS, ids=lambda walker: walker.__name__)
def test_so_can_every_page_in_chinese(browser_page: Page, url: str, walker: Walker) -> None:
    """What another language changes: words and their names, and how wide they are. The rest was looked at
    in English.
    """
    at = timezone.now() - timedelta(minutes=2)
    walk = walker(make_rows(at=at), at)
    if walk.client.cookies:
        enter(browser_page, url, walk.client)
    browser_page.context.add_cookies([{"name": "language", "value": "zh-hans", "url": url}])
    assert list(faults_in_chinese(browser_page, url, walk.pages)) == []


def test_so_can_every_page_of_a_subscription_in_chinese(
    browser_page: Page, url: str, account: StripeAccount
) -> None:
    buyer = Buyer(account)
    buyer.subscribe({"max": 2})
    enter(browser_page, url, signed_in(buyer.user))
    browser_page.context.add_cookies([{"name": "language", "value": "zh-hans", "url": url}])
    assert list(faults_in_chinese(browser_page, url, of_a_subscription(buyer.team))) == []


def faults_in_chinese(page: Page, url: str, pages: Iterable[tuple[str, str]]) -> Iterator[str]:
    for _, path in pages:
        page.set_viewport_size(WIDE)
        page.goto(url + path)
        settled(page)
        if (language := page.locator("html").get_attribute("lang")) != "zh-hans":
            yield f"{path}: {language}"
        yield from (f"{path}: {found}" for found in violations(page, rules=OF_WORDS))
        page.set_viewport_size(NARROW["on 320 px"])
        if (wider := overhang(page)) > 0:
            yield f"{path}: {wider} px too wide on 320 px"


def answered(body: bytes) -> Callable[[Route], None]:
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
    return lambda route: route.fulfill(body=body, content_type="text/html", headers=headers)


def test_every_page_of_the_console_is_walked(url: str) -> None:
    at = timezone.now() - timedelta(minutes=2)
    made = make_rows(at=at)
    walked = {name for walker in WALKERS for name, _ in walker(made, at).pages}
    walked |= {name for name, _ in of_a_subscription(made.team)}
    assert names_of_pages() - walked - set(NOT_WALKED) == set(), "Say in tests/helpers/console_pages.py how."
    assert walked & set(NOT_WALKED) == set()
    assert set(NOT_WALKED) - names_of_pages() == set(), "These are gone."
