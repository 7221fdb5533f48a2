"""A document in the reader's language, rendered, and cut into its sections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from tokenplan.documents.figures import Figures
from tokenplan.documents.pages import DOCUMENTS, LANGUAGES, SOURCE, Document


@dataclass(frozen=True, slots=True)
class Reader:
    """What is filled into examples: the beginning of the reader's key, never its text, and its Team. Who is
    signed in is not told how to sign up.
    """

    key_prefix: str
    team_slug: str
    team_name: str
    is_signed_in: bool = True


NOBODY = Reader("sk-cp-…", "acme", "", is_signed_in=False)
SIGNED_IN = Reader(NOBODY.key_prefix, NOBODY.team_slug, "")


@dataclass(frozen=True, slots=True)
class Section:
    """What a heading, or a question, is about. `level` is the heading's; a question has 4."""

    anchor: str
    title: str
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """`lead` is the first paragraph, which also describes the page to search engines; `html` is
    what follows it.
    """

    document: Document
    title: str
    lead: str
    html: SafeString
    sections: tuple[Section, ...]

    @property
    def contents(self) -> list[Section]:
        """What the table of contents lists: headings, and no questions."""
        return [section for section in self.sections if section.level < 4]


def language_of_reader() -> str:
    """The active language where documents are written in it, else the source."""
    active = (get_language() or SOURCE).lower()
    return active if active in LANGUAGES else SOURCE


def render_document(document: Document, figures: Figures, reader: Reader = NOBODY) -> Rendered:
    """In the reader's language."""
    asked = (document, language_of_reader(), figures, settings.BASE_URL, reader)
    return _of_many(*asked) if reader in (NOBODY, SIGNED_IN) else _render(*asked)


def all_documents(figures: Figures, *, is_signed_in: bool) -> list[Rendered]:
    """In the reader's language, with nothing of the reader's own: what is listed and searched. Each has the
    sections that such a reader is shown.
    """
    reader = SIGNED_IN if is_signed_in else NOBODY
    return [render_document(document, figures, reader) for document in DOCUMENTS]


def _render(document: Document, language: str, figures: Figures, base_url: str, reader: Reader) -> Rendered:
    context = {**figures.context, "base_url": base_url, "reader": reader}
    parser = _Sections()
    parser.feed(render_to_string(f"docs/{language}/{document.slug}.html", context))
    parser.close()
    sections = tuple(
        Section(part.anchor, _plain(part.title), part.level, _plain(part.text)) for part in parser.parts
    )
    # Django's templates have escaped what needs it.
    body = mark_safe(parser.body)  # noqa: S308
    return Rendered(document, _plain(parser.title), _plain(parser.lead), body, sections)


# Kept, since a search reads all documents while somebody types; they follow from these arguments alone.
_of_many = lru_cache(maxsize=128)(_render)


class _Part:
    def __init__(self, anchor: str, level: int) -> None:
        self.anchor, self.level = anchor, level
        self.title = self.text = ""


class _Sections(HTMLParser):
    """Headings `<h2 id>` and `<h3 id>` begin a section, and so does a question, `<details id>` with its
    `<summary>`. What is said of copying an example is no part of the text.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[_Part] = []
        self.title = self.lead = self.body = ""
        self.into = ""  # title, lead, heading, skip

    def feed(self, data: str) -> None:
        self.body = data.partition('<p class="lead">')[2].partition("</p>")[2]
        super().feed(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        anchor = values.get("id") or ""
        if tag == "h1":
            self.into = "title"
        elif tag == "p" and "lead" in (values.get("class") or "").split():
            self.into = "lead"
        elif tag in ("h2", "h3") and anchor:
            self.parts.append(_Part(anchor, int(tag[1])))
            self.into = "heading"
        elif tag == "details" and anchor:
            self.parts.append(_Part(anchor, 4))
        elif tag == "summary":
            self.into = "heading"
        elif tag == "button" or "snippet-head" in (values.get("class") or ""):
            self.into = "skip"
        elif tag in ("p", "li", "td", "th", "pre", "dd", "dt") and self.parts:
            self.parts[-1].text += " "

    def handle_endtag(self, tag: str) -> None:
        ends = {"title": ("h1",), "lead": ("p",), "heading": ("h2", "h3", "summary"), "skip": ("div",)}
        if tag in ends.get(self.into, ()):
            self.into = ""

    def handle_data(self, data: str) -> None:
        if self.into == "title":
            self.title += data
        elif self.into == "lead":
            self.lead += data
        elif self.into == "heading" and self.parts:
            self.parts[-1].title += data
        elif self.into != "skip" and self.parts:
            self.parts[-1].text += data


def _plain(text: str) -> str:
    """On one line, without spaces before a full stop that markup left."""
    return re.sub(r" ([.,;:])(?=\s|$)", r"\1", " ".join(text.split()))
