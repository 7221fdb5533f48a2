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


def lines(client: Client, url: str, name: str | None = None) -> list[str]:
    """The lines of a CSV that is downloaded, under this name."""
    response = client.get(url)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/csv; charset=utf-8"), url
    named = response.headers["Content-Disposition"]
    assert name is None or named == f'attachment; filename="{name}"'
    text: str = response.getvalue().decode("utf-8-sig")
    return text.splitlines()


def submit(client: Client, url: str, **data: object) -> str:
    """Posts a form that leads on to another page, and gives that page's words: the message is among them."""
    response = client.post(url, data, follow=True)
    assert response.redirect_chain, words(response)
    return words(response)
