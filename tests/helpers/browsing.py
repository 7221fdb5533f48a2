"""What people do in a browser, whatever the journey."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from teams.models import User
from teams.services import mail as mailer
from tests.helpers.stripe_account import GOOD

PASSWORD = "correct-horse-battery"


def last_link() -> str:
    """The link in the mail that was sent last."""
    mailer.deliver_due(at=timezone.now())
    found = re.search(r"https?://\S+", str(mail.outbox[-1].body))
    assert found
    return found.group()


def path_of(link: str) -> str:
    return re.sub(r"^https?://[^/]+", "", link)


def sign_in(page: Page, url: str, email: str) -> None:
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(f"{url}/account/")


def arrive(page: Page, url: str, user: User) -> None:
    """At one's bars, signed in already: for journeys that begin behind the sign-in page."""
    client = Client()
    client.force_login(user)
    enter(page, url, client)
    page.goto(f"{url}/account/")


@contextmanager
def another_window(page: Page) -> Iterator[Page]:
    """The browser of somebody else, at the same time."""
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(locale="en-US", timezone_id="UTC")
    yield context.new_page()
    context.close()


def enter(page: Page, url: str, client: Client) -> None:
    """The browser goes on where the client is: with its session."""
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])


def confirm_password(page: Page) -> None:
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def press_in_menu(page: Page, menu: str, button: str) -> None:
    """A destructive button lies behind a question."""
    page.get_by_text(menu, exact=True).first.click()
    page.get_by_role("button", name=button).click()


def sign_up(page: Page, email: str) -> None:
    """From the form to the confirmed address."""
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    page.goto(urljoin(page.url, path_of(last_link())))
    page.get_by_role("button", name="Yes, confirm").click()
    page.wait_for_url(re.compile("^(?!.*/confirm-email/)"))


def pay(page: Page, card: str = GOOD) -> None:
    """On the local Stripe's payment page."""
    page.get_by_label("Card number").fill(card)
    page.get_by_role("button", name=re.compile("^(Subscribe|Pay)")).click()


# Not waited for: Chromium has been seen to leave a transition unfinished for ever, and nobody's patience ends
# a script in a page. What has no end of its own is taken away.
_END_ANIMATIONS = """() => {
  for (const one of document.getAnimations()) {
    try { one.finish(); } catch { one.cancel(); }
  }
}"""


def end_animations(page: Page) -> None:
    """Everything on the page is at once as it will be when it has moved."""
    page.evaluate(_END_ANIMATIONS)


def overhang(page: Page) -> int:
    """How many pixels the page is wider than the screen.

    Expect something of the page first: a click does not wait for the page it leads to.
    """
    width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(page.evaluate(width))


def settled(page: Page) -> None:
    """Until every part that asks for itself once has its answer."""
    expect(page.locator("[hx-trigger=load], .htmx-request")).to_have_count(0)


def open_own_menu(page: Page) -> None:
    """The menu at the foot of the sidebar, which is a drawer on a phone."""
    drawer = page.get_by_role("button", name="Menu", exact=True)
    if drawer.is_visible():
        drawer.click()
    page.locator("summary", has_text="Your account:").click()


def sign_out(page: Page) -> None:
    open_own_menu(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("summary", has_text="Your account:")).to_have_count(0)
