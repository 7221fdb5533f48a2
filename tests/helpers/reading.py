"""A page as its reader sees it."""

from __future__ import annotations

import html
import re
from typing import Protocol

from django.test import Client


class Page(Protocol):
    """Any answer with a body, the test client's included."""

    @property
    def content(self) -> bytes: ...


def words(response: Page) -> str:
    """The text of the page's main part, without markup, spaces collapsed."""
    page = response.content.decode()
    main = page.partition("<main")[2].partition(">")[2].partition("</main>")[0] or page
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())
    return re.sub(r" ([.,;])", r"\1", text)


def read(client: Client, url: str) -> str:
    """The words of a page that opens."""
    response = client.get(url)
    assert response.status_code == 200, (url, response.status_code)
    return words(response)


def submit(client: Client, url: str, **data: object) -> str:
    """Posts a form that leads on to another page, and gives that page's words: the message is among them."""
    response = client.post(url, data, follow=True)
    assert response.redirect_chain, words(response)
    return words(response)
