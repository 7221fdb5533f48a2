"""The switch between the languages: for a person, for a visitor, and what each of them reads then."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import User
from tests.helpers.factories import make_user

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
CHINESE = "zh-CN,zh;q=0.9,en;q=0.8"


def choose(client: Client, language: str, page: str = "/faq/") -> None:
    answer = client.post("/language/", {"language": language, "next": page})
    assert (answer.status_code, answer["Location"]) == (302, page)


def language_of(client: Client, page: str = "/faq/", asks: str = "") -> str:
    answer = client.get(page, headers={"accept-language": asks})
    language = answer["Content-Language"]
    assert f'<html lang="{language}">' in answer.content.decode()
    assert {"Accept-Language", "Cookie"} <= set(answer["Vary"].split(", "))
    return language


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("zh-CN,zh;q=0.9", "zh-hans"),
        ("zh", "zh-hans"),
        ("zh-Hans-CN", "zh-hans"),
        ("fr, zh-CN;q=0.5, en;q=0.1", "zh-hans"),
        ("en-GB", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("", "en"),
        ("zh-CN;q=x, \x7f", "en"),
    ],
)
def test_a_visitor_who_has_chosen_none_reads_what_the_browser_asks_for(asked: str, language: str) -> None:
    assert language_of(Client(), asks=asked) == language


def test_a_visitors_choice_stays_with_the_browser(client: Client) -> None:
    choose(client, "en")
    assert language_of(client, asks=CHINESE) == "en"
    choose(client, "zh-hans")
    assert language_of(client) == "zh-hans"
    cookie = client.cookies["language"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 31_536_000)


def test_a_persons_choice_wins_over_the_browser_and_its_cookie(as_user: AsUser) -> None:
    ada = make_user("ada@example.com")
    client = as_user(ada)
    assert language_of(client, "/account/profile/", asks=CHINESE) == "zh-hans"

    choose(client, "en")
    other_browser = as_user(ada)
    other_browser.cookies["language"] = "zh-hans"
    assert language_of(other_browser, "/account/profile/", asks=CHINESE) == "en"


def test_the_choice_survives_sign_out_and_sign_in(as_user: AsUser) -> None:
    ada = make_user("ada@example.com")
    client = as_user(ada)
    choose(client, "zh-hans")
    client.post("/accounts/logout/")
    assert language_of(client) == "zh-hans"

    assert language_of(as_user(ada), "/account/profile/") == "zh-hans"


@pytest.mark.parametrize("language", ["fr", "zh-hant", "zh_Hans", "EN", "", "../en"])
def test_a_language_that_is_none_is_refused_and_changes_nothing(as_user: AsUser, language: str) -> None:
    client = as_user(make_user("ada@example.com"))
    answer = client.post("/language/", {"language": language, "next": "/account/profile/"}, follow=True)
    assert "Choose one of the languages." in answer.content.decode()
    assert User.objects.get(email="ada@example.com").language == ""
    assert "language" not in client.cookies

    page = client.post("/account/profile/", {"name": "", "time_zone": "UTC", "language": language or "xx"})
    assert page.status_code == 422


@pytest.mark.parametrize("page", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_the_switch_leads_nowhere_but_to_this_site(client: Client, page: str) -> None:
    assert client.post("/language/", {"language": "en", "next": page})["Location"] == "/"


def test_the_switch_wants_a_post_from_a_page_of_this_site() -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/language/", {"language": "zh-hans"}).status_code == 403
    assert client.get("/language/").status_code == 405


def test_the_profile_sets_the_language_and_gives_it_back_to_the_browser(as_user: AsUser) -> None:
    client = as_user(make_user("ada@example.com"))
    values = {"name": "", "time_zone": "UTC"}
    client.post("/account/profile/", {**values, "language": "zh-hans"})
    assert language_of(client, "/account/profile/") == "zh-hans"
    client.post("/account/profile/", {**values, "language": ""})
    assert User.objects.get(email="ada@example.com").language == ""


def test_who_signs_up_in_a_language_has_it_from_then_on(client: Client) -> None:
    password = "correct horse battery"
    form = {"email": "li@example.com", "password1": password, "password2": password}
    assert client.post("/accounts/signup/", form, headers={"accept-language": CHINESE}).status_code == 302
    assert User.objects.get(email="li@example.com").language == "zh-hans"
