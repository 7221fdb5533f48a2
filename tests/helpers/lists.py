"""The lists of a page, and what each of them has: a form that filters it, pages, and a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.helpers.markup import VOID


@dataclass
class Element:
    """With what it stands in, the innermost last."""

    tag: str
    attrs: dict[str, str]
    within: list[Element]
    text: str = ""

    @property
    def is_list(self) -> bool:
        return self.tag == "table" or "list-group" in self.attrs.get("class", "").split()

    @property
    def label(self) -> str:
        """By which it can be named: of what it stands in, the innermost with a name or an id."""
        for element in reversed([*self.within, self]):
            for name in ("aria-label", "aria-labelledby", "id"):
                if element.attrs.get(name):
                    return element.attrs[name]
        return ""

    def stands_in(self, part: str) -> bool:
        return any(element.attrs.get("id") == part for element in (*self.within, self))


@dataclass
class Lists(HTMLParser):
    """`missing` says of each list of the page, by its label, what it has not."""

    html: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.open: list[Element] = []
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, list(self.open))
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()  # of an SVG

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1].text += data

    @property
    def missing(self) -> dict[str, set[str]]:
        lists = [
            element
            for element in self.elements
            if element.is_list and not any(outer.is_list for outer in element.within)
        ]
        return {one.label: self._missing(one) for one in lists}

    def _missing(self, one: Element) -> set[str]:
        forms = [
            element.attrs
            for element in self.elements
            if "hx-push-url" in element.attrs and one.stands_in(element.attrs["hx-target"].lstrip("#"))
        ]
        if not forms:
            return {"filter", "pages", "file"}
        (form,) = forms
        part, swapped = form["hx-target"].lstrip("#"), form["hx-select-oob"].split(",")
        files = [link for link in self.elements if "Download as CSV" in link.text and link.tag == "a"]
        has_file = any(link.stands_in(place.lstrip("#")) for link in files for place in swapped)
        pages = [element for element in self.elements if element.attrs.get("aria-label") == "Pages"]
        has_pages = any(element.stands_in(part) for element in pages)
        return {name for name, has in (("pages", has_pages), ("file", has_file)) if not has}
