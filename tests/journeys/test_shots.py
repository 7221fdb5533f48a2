"""The pictures' visitor in a real browser: what is not of its page is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.helpers.browsing import PASSWORD, another_window
from tests.helpers.factories import make_api_key, make_member, make_team, make_user, owner_of
from tests.shots import Visitor, choose_members, shoot_keys

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.slow
def test_a_picture_that_is_not_of_its_page_is_named(
    browser_page: Page, live_server: LiveServer, tmp_path: Path
) -> None:
    with another_window(browser_page) as page:  # a picture hides the caret, by a style that the policy blocks
        visitor = Visitor(page, live_server.url, tmp_path / "light", {})
        visitor.shoot("/faq/")
        visitor.open_first("/docs/", "^/docs/api/$", "document")
        assert visitor.faults == []
        assert {file.name for file in visitor.folder.iterdir()} == {"faq.png", "document.png"}

        visitor.shoot("/account/", "home")
        visitor.shoot("/faq/", "refused", status=403)
        visitor.open_first("/faq/", "^/nowhere/$", "nowhere")
        page.set_content("<p>Neither this nor that")
        visitor.picture("bare")
        assert visitor.faults == [
            "light/home: /account/ is answered 200 at /accounts/login/",
            "light/refused: /faq/ is answered 200 at /faq/",
            "light/nowhere: no link of /faq/ leads to ^/nowhere/$",
            f"light/bare: the page at {live_server.url}/faq/ has no heading",
        ]


@pytest.mark.slow
def test_pages_behind_a_password_and_a_choice_have_pictures_too(
    browser_page: Page, live_server: LiveServer, tmp_path: Path
) -> None:
    team = make_team("Acme", owner=make_user("ada@example.com", password=PASSWORD))
    make_member(team)
    make_api_key(owner_of(team))
    with another_window(browser_page) as page:
        visitor = Visitor(page, live_server.url, tmp_path / "light", {})
        visitor.sign_in("ada@example.com", PASSWORD)
        visitor.prove(PASSWORD)
        visitor.open_first("/account/", r"^/account/keys/[\w-]+/$", "account-key")
        visitor.open_first("/plans/choose/?plan=max", r"/billing/subscribe/$", "team-subscribe")
        shoot_keys(visitor, "/teams/acme/")
        choose_members(visitor, "/teams/acme/")
        assert visitor.faults == []
    assert {file.stem for file in visitor.folder.iterdir()} == {
        *("account-confirm-password", "account-key", "team-subscribe", "team-members-act"),
        *("team-api-key", "team-api-key-show", "team-api-key-rotate"),
    }
