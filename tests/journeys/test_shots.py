"""The pictures' visitor in a real browser: what is not of its page is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.helpers.browsing import another_window
from tests.shots import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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
