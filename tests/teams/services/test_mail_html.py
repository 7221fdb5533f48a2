"""Mails as HTML: in one layout, with one button, asking for nothing outside."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.mail import EmailMultiAlternatives
from django.utils.formats import date_format

from teams.models import Mail, User
from teams.services import mail
from tests.helpers.people import NOON

pytestmark = pytest.mark.django_db
NEAR: dict[str, str | int] = {
    "team": "A & <B>",
    "slug": "a-b",
    "plan": "Max",
    "at": NOON.isoformat(),
    "is_owner": 1,
    "makes_api_keys": 1,
    "window_name": "5h",
    "window_seconds": 18_000,
    "policy": "rolling",
    "used_nanousd": 8_316_000_000,
    "limit_nanousd": 9_900_000_000,
    "left_nanousd": 1_584_000_000,
    "percent": "84.00",
    "resets_at": NOON.isoformat(),
    "release_at": "",
    "release_nanousd": 0,
    "credits_state": "none_left",
    "usable_nanousd": 0,
    "month_cap_nanousd": 0,
}


@pytest.fixture(autouse=True)
def address(settings: Any) -> None:
    settings.BASE_URL = "https://plan.example"


def sent(kind: str, outbox: list[EmailMultiAlternatives], **context: str | int) -> tuple[str, str]:
    """Text and HTML of the mail."""
    mail.queue(kind=kind, to="mia@example.com", context=context, dedupe_key=kind, at=NOON)
    assert mail.deliver_due(at=NOON) == 1
    [message] = outbox
    [(html, mimetype)] = message.alternatives
    assert mimetype == "text/html"
    return str(message.body), str(html)


def words(html: str) -> str:
    return " ".join(re.sub(r"<style.*?</style>|<[^>]+>", " ", html, flags=re.S).split())


def test_the_text_is_the_same_and_what_somebody_wrote_is_no_markup(
    mailoutbox: list[EmailMultiAlternatives],
) -> None:
    text, html = sent("member_removed", mailoutbox, team='<img src="https://evil.example/a.png">')
    assert text.startswith('Hello,\n\nYour membership in the Team "<img src=')
    assert "<img" not in html
    assert "Your Subscription Key for this Team stopped working at once." in words(html)
    assert re.findall(r'href="([^"]+)"', html) == ["https://plan.example/account/", "https://plan.example/"]
    assert ">Your Teams</a>" in html


def test_a_notice_of_usage_has_the_bar_in_cells_and_one_button(
    mailoutbox: list[EmailMultiAlternatives],
) -> None:
    _, html = sent("quota_80", mailoutbox, **NEAR)
    assert '<td width="84%" height="12" bgcolor="#c05d00"' in html
    assert '<td class="track" width="16%" height="12" bgcolor="#d9dee5"' in html
    assert "5-hour window 84% &nbsp; &nbsp; $1.58 left of $9.90" in words(html)
    assert html.count('bgcolor="#0b66c3"') == 1
    assert ">Your usage bar</a>" in html
    assert "A &amp; &lt;B&gt;" in html
    assert html.index("in the Team") < html.index('height="12"') < html.index("<ul")


def test_a_full_window_has_no_cell_that_is_free(mailoutbox: list[EmailMultiAlternatives]) -> None:
    _, html = sent("quota_100", mailoutbox, **NEAR | {"percent": "111.25"})
    assert '<td width="100%" height="12" bgcolor="#c92a2a"' in html
    assert 'class="track"' not in html
    assert "111%" in words(html)


def test_nothing_outside_is_asked_for_and_dark_screens_are_thought_of(
    mailoutbox: list[EmailMultiAlternatives],
) -> None:
    _, html = sent("quota_80", mailoutbox, **NEAR)
    assert re.findall(r"<(?:img|link|script|iframe)|@import|url\(", html) == []
    assert all(url.startswith("https://plan.example/") for url in re.findall(r'(?:src|href)="([^"]+)"', html))
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "@media (prefers-color-scheme: dark)" in html


def test_times_are_those_of_the_zone_of_whoever_gets_it(mailoutbox: list[EmailMultiAlternatives]) -> None:
    User.objects.create_user("mia@example.com", time_zone="Asia/Shanghai")
    text, html = sent("quota_80", mailoutbox, **NEAR)
    moment = f"{date_format(NOON.astimezone(ZoneInfo('Asia/Shanghai')), 'j M Y, H:i')} CST"
    assert moment in text
    assert moment in words(html)


def test_a_code_is_in_the_html_as_in_the_text_and_in_no_row_that_outlives_it(
    mailoutbox: list[EmailMultiAlternatives],
) -> None:
    mail.queue(
        kind="account_message",
        to="mia@example.com",
        context={},
        secret={"subject": "Your code", "body": "The code:\n\n813 204\n"},
        dedupe_key="code",
        at=NOON,
    )
    assert mail.deliver_due(at=NOON) == 1
    [message] = mailoutbox
    assert "813 204" in str(message.body)
    assert "813 204" in words(str(message.alternatives[0][0]))
    assert Mail.objects.values_list("secret", "context").get() == ({}, {})


def test_a_name_in_small_letters_begins_a_sentence_as_it_is(mailoutbox: list[EmailMultiAlternatives]) -> None:
    text, html = sent("credits_requested", mailoutbox, member="acme corp", team="acme corp", slug="acme-corp")

    said = 'acme corp asks for access to the Credits of the Team "acme corp".'
    assert text.startswith(f"Hello,\n\n{said}\n")
    assert said in unescape(words(html))
