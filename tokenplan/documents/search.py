"""Finds sections of documents by words. Pure, and small: a few dozen sections are read each time.

A language without spaces is searched by pairs of its signs, so no list of its words is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tokenplan.documents.reading import Rendered, Section

MOST = 12
# Signs before and after what was found.
AROUND = 70
HAN = "\u3400-\u9fff\uf900-\ufaff"
TERM = re.compile(rf"[{HAN}]+|[^\W{HAN}][\w./-]*")
# Words of questions: they stand in every text.
_ASKED = """
a an and are can do does for how i if in is it me my of on or the there to what when where which who why will
with 的 了 吗 呢 是 我 怎么 什么 如何
"""
STOP_WORDS = frozenset(_ASKED.split())
ENDINGS = re.compile(r"(?:ing|ed|es|s)$")


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that was found. `excerpt` is plain text in parts, each with whether it was searched for.
    `is_complete`: the section has all that was typed.
    """

    rendered: Rendered
    section: Section
    excerpt: tuple[tuple[str, bool], ...]
    is_complete: bool

    @property
    def url(self) -> str:
        return f"{self.rendered.document.url}#{self.section.anchor}"


def find(documents: Iterable[Rendered], text: str) -> list[Hit]:
    """The best first. Where no section has all that was typed, those with the most of it, at least half."""
    terms = terms_of(text)
    if not terms:
        return []
    found = []
    for rendered in documents:
        for section in (row for row in rendered.sections if row.text):  # a mere group of questions has none
            matched, score = _score(rendered, section, terms, text.casefold().strip())
            if 2 * matched >= len(terms):
                found.append((matched, score, rendered, section))
    most = max((row[0] for row in found), default=0)
    best = sorted((row for row in found if row[0] == most), key=lambda row: -row[1])
    return [
        Hit(rendered, section, _excerpt(section, terms), most == len(terms))
        for _, _, rendered, section in best[:MOST]
    ]


def terms_of(text: str) -> list[str]:
    """What is looked for in sections: words without their usual endings, and pairs of Han signs."""
    terms: list[str] = []
    for word in TERM.findall(text.casefold()):
        if re.match(f"[{HAN}]", word):
            for stop in ("怎么", "什么", "如何", "吗", "呢", "了"):
                word = word.replace(stop, " ")
            for run in word.split():
                terms += [run[at : at + 2] for at in range(max(len(run) - 1, 1))]
        elif word not in STOP_WORDS:
            stem = ENDINGS.sub("", word)
            terms.append(stem if len(stem) > 3 else word.rstrip("."))
    return list(dict.fromkeys(term for term in terms if term and term not in STOP_WORDS))


def _pattern(term: str) -> re.Pattern[str]:
    """Of a word the beginning counts, also after a sign within an address; of Han signs any place."""
    start = "" if re.match(f"[{HAN}]", term) else r"(?<![^\W_])"
    return re.compile(start + re.escape(term), re.IGNORECASE)


def _score(rendered: Rendered, section: Section, terms: list[str], whole: str) -> tuple[int, int]:
    """How many terms it has, and how well: in its title counts most, the whole phrase more than its words."""
    matched = score = 0
    for term in terms:
        pattern = _pattern(term)
        in_title = 6 * bool(pattern.search(section.title)) + 2 * bool(pattern.search(rendered.title))
        in_text = min(len(pattern.findall(section.text)), 3)
        matched += bool(in_text or pattern.search(section.title))
        score += in_title + in_text
    if len(terms) > 1:
        score += 12 * (whole in section.title.casefold()) + 4 * (whole in section.text.casefold())
    return matched, score


def _excerpt(section: Section, terms: list[str]) -> tuple[tuple[str, bool], ...]:
    # Of a word all of it is marked.
    whole = [
        _pattern(term).pattern + ("" if re.match(f"[{HAN}]", term) else rf"[^\W{HAN}_]*") for term in terms
    ]
    any_term = re.compile("|".join(whole), re.IGNORECASE)
    first = any_term.search(section.text)
    middle = first.start() if first else 0
    start, end = max(middle - AROUND, 0), middle + 2 * AROUND
    while 0 < start < middle and section.text[start - 1].isascii() and not section.text[start - 1].isspace():
        start += 1
    shown = section.text[start:end]
    parts: list[tuple[str, bool]] = [("… ", False)] if start else []
    at = 0
    for match in any_term.finditer(shown):
        parts += [(shown[at : match.start()], False), (match.group(), True)]
        at = match.end()
    parts.append((shown[at:] + (" …" if end < len(section.text) else ""), False))
    return tuple(part for part in parts if part[0])
