"""Somebody who comes to a demo for the pictures alone, so that its people stay as they are. What this guest
does leads to the pages that one comes to by a mail, or by a verb.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Cookie, Page, expect

from tests.helpers.authenticator import Authenticator
from tests.helpers.browsing import PASSWORD, another_window, confirm_password, path_of, pay
from tests.helpers.mail_folder import link_mailed
from tests.helpers.totp import app_shown

INVITED = ("kim", "lee", "sam", "alex", "robin", "charlie", "jo", "ola")
# So many lines are worked in the background.
LINES = 201


@dataclass(frozen=True)
class Guest:
    """Who it is, with the cookies of a session, and the addresses that verbs and mails have led to."""

    email: str
    password: str
    cookies: list[Cookie]
    confirmation: str
    new_password: str
    invitation: str
    invite_link: str
    checkout: str
    bulk_action: str


def welcome(page: Page, url: str, mails: Path, operator: Mapping[str, str]) -> Guest:
    """A guest of the demo at this address, who has bought a seat, invited many, and has two factors."""
    number = secrets.token_hex(4)
    waiting, email = f"waiting-{number}@guests.example", f"guest-{number}@guests.example"
    people = [f"{name}-{number}@guests.example" for name in INVITED]
    with another_window(page) as window:
        _sign_up(window, url, waiting)
    with another_window(page) as window:
        _sign_up(window, url, email)
        window.goto(_path(url, link_mailed(mails, email)))
        window.get_by_role("button", name="Yes, confirm").click()
        checkout = _subscribe(window, url)
        invite_link = _invite_link(window, url, operator)
        _add_factors(window, url)
        bulk_action = _invite(window, url, number, people)
        cookies = window.context.cookies()
    with another_window(page) as window:
        window.goto(f"{url}/accounts/password/reset/")
        window.get_by_label("E-mail address").fill(email)
        window.get_by_role("main").get_by_role("button").click()
        new_password = path_of(link_mailed(mails, email, "/reset/key/"))
    return Guest(
        email=email,
        password=PASSWORD,
        cookies=cookies,
        confirmation=path_of(link_mailed(mails, waiting)),
        new_password=new_password,
        invitation=path_of(link_mailed(mails, people[0])),
        invite_link=invite_link,
        checkout=checkout,
        bulk_action=bulk_action,
    )


def _path(url: str, link: str) -> str:
    return url + path_of(link)


def _sign_up(page: Page, url: str, email: str) -> None:
    page.goto(f"{url}/accounts/signup/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()


def _subscribe(page: Page, url: str) -> str:
    """For a seat of one's own. Where the payment page led back to."""
    page.goto(f"{url}/plans/")
    page.get_by_role("link", name="Choose Max").click()
    page.get_by_role("button", name="Go to payment").click()
    pay(page)
    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible()
    return urlsplit(page.url).path


def _invite_link(page: Page, url: str, operator: Mapping[str, str]) -> str:
    """One's own, of the campaign that there is, or that the operator begins."""
    page.goto(f"{url}/promotions/")
    mine = page.get_by_role("button", name="Get my link")
    if not mine.count():
        with another_window(page) as window:
            _begin_campaign(window, url, operator)
        page.reload()
    mine.click()
    return path_of(page.locator("#invite-link").inner_text())


def _begin_campaign(page: Page, url: str, operator: Mapping[str, str]) -> None:
    page.goto(f"{url}/accounts/login/?next=/admin/billing/invitecampaign/add/")
    page.get_by_label("E-mail address").fill(operator["email"])
    page.get_by_label("Password").fill(operator["password"])
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    now = datetime.now(UTC)
    values = {"off": "10", "voucher": "10", "title_en": "Invite a friend", "reason": "For the pictures"}
    values |= {"description_en": "Ten percent off for whoever comes, and ten percent for you."}
    values |= {"title_zh-hans": "邀请好友", "description_zh-hans": "好友享九折，您也获得其付款的一成。"}
    values |= {"starts_at": f"{now:%Y-%m-%dT%H:%M}", "ends_at": f"{now + timedelta(days=90):%Y-%m-%dT%H:%M}"}
    for name, value in values.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("#content form").get_by_role("button").or_(page.locator("#content [type=submit]")).click()
    page.wait_for_url("**/invitecampaign/")


def _add_factors(page: Page, url: str) -> None:
    """An app, and a passkey where the address can have one."""
    page.goto(f"{url}/account/authenticator-app/add/")
    if "/reauthenticate/" in page.url:
        confirm_password(page)
    app = app_shown(page.content())
    page.get_by_label("The code that the app shows").fill(app.code())
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.goto(f"{url}/account/passkeys/add/")
    if page.get_by_label("Name").count():
        Authenticator(page)
        page.get_by_label("Name").fill("My laptop")
        page.get_by_role("button", name="Add the passkey").click()
        page.wait_for_url(lambda address: "/add/" not in address)


def _invite(page: Page, url: str, number: str, people: Sequence[str]) -> str:
    """Into a Team of the guest's, by a list that has each of them often. Where the result of each line is."""
    lines = islice(cycle([*people, "nobody"]), LINES)
    page.goto(f"{url}/new-team/")
    page.get_by_label("Name").fill(f"Guests {number}")
    page.get_by_role("button", name="Create the Team").click()
    page.wait_for_url("**/teams/guests-*/**")
    page.goto(f"{url}/teams/{page.url.split('/')[4]}/invitations/many/")
    page.get_by_label("One person a line").fill("\n".join(lines))
    page.get_by_role("button", name="Check the lines").click()
    page.get_by_role("button", name=re.compile("^Invite ")).click()
    expect(page.get_by_role("main")).to_contain_text("All lines are done.", timeout=60_000)
    return urlsplit(page.url).path
