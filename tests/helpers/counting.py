"""What a person does in a browser, counted: pages that open, clicks, and fields that are typed into."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Locator, Page


@dataclass
class Counted:
    """A person at one page of a browser. A redirect is a part of the page that it leads to."""

    page: Page
    pages: int = 0
    clicks: int = 0
    fields: int = 0

    def __post_init__(self) -> None:
        self.page.on("domcontentloaded", self._opened)

    @property
    def did(self) -> dict[str, int]:
        return {"pages": self.pages, "clicks": self.clicks, "fields": self.fields}

    def click(self, target: Locator) -> None:
        target.click()
        self.clicks += 1

    def fill(self, field: Locator, text: str) -> None:
        field.fill(text)
        self.fields += 1

    def follow(self, link: str) -> None:
        """What a mail leads to: a click there."""
        self.page.goto(link)
        self.clicks += 1

    def _opened(self, page: Page) -> None:
        self.pages += 1
