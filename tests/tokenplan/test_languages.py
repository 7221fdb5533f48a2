"""Which language an answer is in: pages, the API's problem documents, and what gateways are answered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import translation
from django.utils.dateformat import format as format_date
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext

from quota.money import usd_text
from quota.templatetags.bar_words import clock
from tokenplan.languages import asked_for

pytestmark = pytest.mark.django_db
CHINESE = {"accept-language": "zh-CN,zh;q=0.9"}
AT = datetime(2026, 6, 3, 14, 13, tzinfo=UTC)


@pytest.mark.parametrize("path", ["/", "/plans/", "/accounts/login/", "/accounts/signup/"])
def test_a_page_is_in_english_whatever_a_library_is_translated_into(path: str, client: Client) -> None:
    plain = client.get(path).content.decode()
    asked = client.get(path, headers={"accept-language": "de;q=0.9"}).content.decode()
    assert '<html lang="en">' in asked
    assert asked.count("\n") == plain.count("\n")
    assert "Sign up" in asked


@pytest.mark.parametrize("path", ["/", "/plans/", "/accounts/login/", "/accounts/signup/", "/nothing-here/"])
def test_a_page_is_in_chinese_for_who_asks_for_it(path: str, client: Client) -> None:
    answer = client.get(path, headers=CHINESE)
    assert answer["Content-Language"] == "zh-hans"
    assert "登录" in answer.content.decode()


def test_a_refusal_of_the_api_follows_accept_language_and_no_cookie(client: Client) -> None:
    client.cookies["language"] = "zh-hans"
    english = client.get("/api/v1/me")
    chinese = client.get("/api/v1/me", headers=CHINESE)

    assert (english["Content-Language"], chinese["Content-Language"]) == ("en", "zh-hans")
    assert english.json()["title"] == "Sign in, or send a credential"
    with translation.override("zh-hans"):
        assert chinese.json()["title"] == gettext("Sign in, or send a credential")
    assert chinese.json()["title"] != english.json()["title"]
    assert english.json()["code"] == chinese.json()["code"]
    assert "Accept-Language" in chinese["Vary"]


@pytest.mark.parametrize("path", ["authorize", "events", "rate-card"])
def test_gateways_are_answered_in_english_whatever_they_ask_for(path: str, client: Client) -> None:
    for ask in (client.get, client.post):
        answer = ask(f"/api/v1/gateway/{path}", headers=CHINESE)
        assert answer.json()["title"].isascii()


def test_the_openapi_document_is_in_english(client: Client) -> None:
    plain, asked = (client.get("/api/schema/", headers=headers) for headers in ({}, CHINESE))
    assert asked.content == plain.content


def test_the_first_language_that_the_console_speaks_is_taken() -> None:
    assert asked_for("fr, zh-TW;q=0.8, en;q=0.5") == "zh-hans"
    assert asked_for("fr") == asked_for("") == asked_for("*") == asked_for("-,;q") == "en"


def test_dates_numbers_and_money_in_each_language() -> None:
    with translation.override("en"):
        assert date_format(AT, "j M Y, H:i T") == "3 Jun 2026, 14:13 UTC"
        assert clock(AT) == "Wed 3 Jun, 14:13 UTC"
    with translation.override("zh-hans"):
        assert date_format(AT, "j M Y, H:i T") == "2026年6月3日 14:13 UTC"
        assert date_format(AT, "j F") == "6月3日"
        assert date_format(AT, "Y-m-d H:i") == "2026-06-03 14:13"
        assert clock(AT) == f"6月3日 {format_date(AT, 'D')} 14:13 UTC"
        assert clock(AT, AT) == "14:13 UTC"
        assert number_format(1_234_567, force_grouping=True) == "1,234,567"
        assert usd_text(1_200_000_000_000) == "$1,200.00"
