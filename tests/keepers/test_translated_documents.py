"""Each document is the same in every language: sections, examples, links, figures; and no figure is typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tokenplan.documents.examples import EXAMPLES
from tokenplan.documents.pages import DOCUMENTS, LANGUAGES, SOURCE
from tokenplan.runtime.folders import ROOT

FOLDER = ROOT / "templates/docs"
OTHERS = [language for language in LANGUAGES if language != SOURCE]
CASES = [(language, document.slug) for language in OTHERS for document in DOCUMENTS]
# What begins a section, with what stands in it until the next one.
SECTION = re.compile(r"<(?:h2|h3|details)\b[^>]*\bid=\"([\w-]+)\"")
# What has to be there in each section, however often and in whatever order a language needs it: figures,
# examples, addresses, code.
PARTS = re.compile(
    r"{{\s*[\w.|:\" ,]+\s*}}|{%\s*(?:example|variables|if|elif|for|url)\s[^%]+%}|href=\"[^\"]*\""
    r"|<code[^>]*>[^<]*</code>"
)


def text_of(language: str, slug: str) -> str:
    return (FOLDER / language / f"{slug}.html").read_text()


def sections(text: str) -> list[tuple[str, list[str]]]:
    """Each section's anchor, and what has to be in it; what stands before the first has none."""
    cuts = [*((found.start(), found[1]) for found in SECTION.finditer(text)), (len(text), "")]
    pieces = [("", text[: cuts[0][0]])]
    pieces += [(anchor, text[start : cuts[at + 1][0]]) for at, (start, anchor) in enumerate(cuts[:-1])]
    return [(anchor, sorted({_plain(part) for part in PARTS.findall(piece)})) for anchor, piece in pieces]


def _plain(part: str) -> str:
    """Of a date the order of its parts is the language's."""
    return re.sub(r"date:\"[^\"]*\"", "date", part)


def typed_figures(text: str) -> list[str]:
    """Digits of sentences: what a tag, a variable or a sample of code says is not typed."""
    text = re.sub(r"<code.*?</code>|<[^>]+>|{{.*?}}|{%.*?%}", " ", text, flags=re.S)
    return re.findall(r"\S*\d\S*", text)


def test_each_language_has_a_file_of_each_document_and_no_other() -> None:
    for language in LANGUAGES:
        there = {path.stem for path in (FOLDER / language).iterdir()}
        assert there == {document.slug for document in DOCUMENTS}


@pytest.mark.parametrize(("language", "slug"), CASES)
def test_a_translation_has_the_same_sections_examples_links_and_figures(language: str, slug: str) -> None:
    assert sections(text_of(language, slug)) == sections(text_of(SOURCE, slug))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.html")), ids=lambda path: "/".join(path.parts[-2:]))
def test_no_figure_is_typed_into_a_document(path: Path) -> None:
    if path.parent.name in LANGUAGES:
        assert typed_figures(path.read_text()) == []


def test_every_example_is_shown_once_and_in_the_order_in_which_it_is_run() -> None:
    shown = re.findall(r"{% example \"([\w-]+)\" %}", text_of(SOURCE, "api"))
    assert shown == [example.name for example in EXAMPLES]


def test_control_what_a_translation_lacks_is_noticed() -> None:
    source = '<h2 id="a">A</h2><p>{{ grace_days }} <a href="{{ x_url }}#b">x</a></p>{% example "plans" %}'
    for lacks in (
        source.replace("{{ grace_days }}", "seven"),
        source.replace("#b", "#c"),
        source.replace('{% example "plans" %}', ""),
        source.replace('id="a"', 'id="z"'),
    ):
        assert sections(lacks) != sections(source)
    assert typed_figures("<p>Good for 7 days, {{ lot_days }}, <code>401</code></p>") == ["7"]
