"""What is wrong with the markup of a page: tags left open, ids that are not unique or not there."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
# Attributes that name ids of the same page.
REFER = ("for", "aria-labelledby", "aria-describedby")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.named: list[str] = []
        self.levels: list[int] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.faults += [f"<{tag}> has {name} twice" for name in set(names) if names.count(name) > 1]
        values = dict(attrs)
        self.ids.update([values["id"] or ""] if "id" in values else [])
        for name in REFER:
            self.named += (values.get(name) or "").split()
        if (values.get("data-copy") or "").startswith("#"):
            self.named.append((values["data-copy"] or "")[1:])
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.levels.append(int(tag[1]))
        if tag == "button" and "type" not in values:
            self.faults.append("a <button> without a type")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()  # of an SVG

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes what is not open")


def faults(html: str) -> list[str]:
    """Empty for a page that is in order."""
    page = _Page()
    page.feed(html)
    page.close()
    found = [*page.faults, *(f"<{tag}> is not closed" for tag in page.open)]
    found += [f"the id {name!r} is there {count} times" for name, count in page.ids.items() if count > 1]
    found += [f"there is no id {name!r}" for name in page.named if name not in page.ids]
    found += [f"{page.levels.count(1)} headings of the first level"] if page.levels.count(1) != 1 else []
    steps = zip(page.levels, page.levels[1:], strict=False)
    found += [f"a heading {level} after a {before}" for before, level in steps if level > before + 1]
    return found
