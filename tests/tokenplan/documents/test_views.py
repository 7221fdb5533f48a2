"""The documents as pages: for everyone, in the reader's language, with the reader's own address and key."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import resolve
from django.utils import translation
from pytest_django.fixtures import Settings

from teams.models import Membership
from tests.helpers.catalog import load_shipped
from tests.helpers.factories import key_of, make_team, make_user, owner_of
from tests.helpers.markup import faults
from tests.helpers.reading import read, words
from tokenplan.documents.pages import DOCUMENTS, LANGUAGES

pytestmark = pytest.mark.django_db
PATHS = ["/docs/", "/docs/?q=credits", "/docs/?q=zebra", "/docs/nothing/", *(row.url for row in DOCUMENTS)]

# A path of the console, and the section of the page there.
LINK = re.compile(r'href="(/(?!static/)[^"#?]*)(?:[?][^"#]*)?(?:#([\w-]+))?"')


@pytest.fixture(autouse=True)
def _both_languages(settings: Settings) -> None:
    settings.LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
    settings.GATEWAY_OPENAI_URL = "https://gateway.example/v1"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_markup_of_each_page_is_in_order(client: Client, language: str) -> None:
    load_shipped()
    answers = {path: client.get(path, headers={"accept-language": language}) for path in PATHS}
    found = {path: faults(answer.content.decode()) for path, answer in answers.items()}
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
    for path, answer in answers.items():
        assert re.search(r'<meta name="description" content="[^"]{10,}">', answer.content.decode()), path


def test_a_page_is_in_the_language_of_the_reader_or_in_english(client: Client) -> None:
    chinese = client.get("/docs/plans-and-credits/", headers={"accept-language": "zh-hans"})
    assert "达到上限时" in words(chinese)
    assert "At the limit" in words(client.get("/docs/plans-and-credits/", headers={"accept-language": "de"}))


def test_its_figures_are_those_of_the_plans_on_sale(client: Client) -> None:
    assert "No plan is on sale at present." in read(client, "/docs/plans-and-credits/")
    load_shipped()
    page = read(client, "/docs/plans-and-credits/")
    assert "Plus $20.00 $200.00 3–4 $3.30 $33.00" in page
    assert "The weekly window begins anew each Monday, 00:00 UTC." in page
    assert "2 of twelve months are free" in page


def test_it_leads_to_the_one_before_and_the_next(client: Client) -> None:
    for path, ways in {
        "/quickstart/": ["/docs/plans-and-credits/"],
        "/promotions/": ["/docs/plans-and-credits/", "/docs/api/"],
        "/faq/": ["/docs/api/"],
    }.items():
        foot = client.get(path).content.decode().partition('class="docs-foot')[2].partition("</nav>")[0]
        assert re.findall(r'href="([^"]+)"', foot) == ways


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_quickstart_of_who_is_signed_in_begins_after_signing_up(client: Client, language: str) -> None:
    anchors = ["sign-up", "something-to-spend", "copy-your-key", "set-up-a-tool", "first-call"]

    def sections() -> list[str]:
        page = client.get("/quickstart/", headers={"accept-language": language}).content.decode()
        return re.findall(r'<h2 id="([\w-]+)"', page)

    assert sections() == anchors
    client.force_login(make_user("mia@example.com"))
    assert sections() == anchors[1:]


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_is_signed_in_is_led_to_no_section_about_signing_up(client: Client, language: str) -> None:
    wanted, link = {"en": "sign up", "zh-hans": "注册"}[language], 'href="/quickstart/#sign-up"'

    def pages() -> list[str]:
        accept = {"accept-language": language}
        answers = [
            client.get("/docs/", headers=accept),
            client.get("/docs/", {"q": wanted}, headers=accept),
            client.post("/docs/found/", {"q": wanted}, headers=accept),
        ]
        return [answer.content.decode() for answer in answers]

    assert [link in page for page in pages()] == [True, True, True]
    client.force_login(make_user("mia@example.com"))
    assert [link in page for page in pages()] == [False, False, False]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("signed_in", [False, True])
def test_every_link_of_the_documents_leads_to_a_page_and_its_section(
    client: Client, language: str, signed_in: bool
) -> None:
    load_shipped()
    if signed_in:
        client.force_login(make_user("mia@example.com"))

    def get(url: str) -> str:
        return client.get(url, headers={"accept-language": language}).content.decode()

    pages = {row.url: get(row.url) for row in DOCUMENTS}
    links = {link for html in pages.values() for link in LINK.findall(html)}
    assert any(anchor for _, anchor in links)
    for path, anchor in links:
        resolve(path)
        if anchor:
            page = pages.get(path) or get(path)
            assert f'id="{anchor}"' in page, (path, anchor)


def test_examples_have_the_readers_address_and_the_beginning_of_the_key(
    client: Client, settings: Settings
) -> None:
    settings.BASE_URL = "https://console.example"
    stranger = read(client, "/docs/api/")
    assert "export BASE='https://console.example'" in stranger
    assert "export KEY='sk-cp-…'" in stranger

    ada = make_user("ada@example.com")
    make_team("Acme", owner=ada)
    membership = Membership.objects.get(user=ada, team__default_for=ada)
    client.force_login(ada)
    answer = client.get("/docs/api/")
    assert f"export KEY='{membership.keys.get().prefix}'" in words(answer).replace("&#x27;", "'")
    assert key_of(membership) not in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]


def test_they_are_of_the_team_that_was_opened_last(client: Client) -> None:
    team = make_team("Acme")
    client.force_login(owner_of(team).user)
    client.get(f"/teams/{team.slug}/")
    assert f"TEAM='{team.slug}'" in read(client, "/docs/api/")
    assert "The beginning of your key for Acme is filled in" in read(client, "/docs/api/")


def test_a_page_that_is_not_there_names_those_that_are(client: Client) -> None:
    answer = client.get("/docs/nothing/")
    assert answer.status_code == 404
    assert "Page not found" in words(answer)
    assert 'href="/docs/api/"' in answer.content.decode()


def test_a_document_that_is_a_page_of_its_own_is_there(client: Client) -> None:
    assert client.get("/docs/faq/").headers["Location"] == "/faq/"


def test_what_is_typed_is_found_as_sections_and_shown_as_text(client: Client) -> None:
    answer = client.get("/docs/", {"q": "<b>refund"})
    assert "<b>refund" not in answer.content.decode()
    page = read(client, "/docs/?q=refund")
    assert "Found for “refund”" in page
    assert '<a href="/faq/#refunds">' in client.get("/docs/?q=refund").content.decode()
    assert "Nothing is found." in read(client, "/docs/?q=zebra")


def test_the_palette_is_answered_with_links_alone(client: Client) -> None:
    html = client.post("/docs/found/", {"q": "refund"}).content.decode()
    assert 'href="/faq/#refunds"' in html
    assert "<html" not in html
    assert "<a" in client.get("/docs/?q=refund zebra").content.decode().partition('class="found')[2]
    assert client.post("/docs/found/", {"q": "refund zebra"}).content.decode().strip() == ""
    assert client.post("/docs/found/").content.decode().strip() == ""
    with translation.override("zh-hans"):
        assert client.post("/docs/found/", {"q": "x" + "y" * 4000}).status_code == 200
    assert client.get("/docs/found/?q=refund").status_code == 405
