"""Every text for people has its translation, and what is compiled is what the catalogue says."""

from __future__ import annotations

import ast
import gettext
import re
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation import to_locale

from tests.helpers.catalogues import CATALOGUES, entries, marked, texts_of_module, texts_of_template
from tests.keepers import files
from tokenplan.formats.zh_Hans.formats import PATTERNS
from tokenplan.runtime.folders import ROOT

HOW = "run `make messages`, translate what is empty, run it again (CONTRIBUTING.md, Texts)"
PLACEHOLDERS = re.compile(r"%\(\w+\)[a-z]|%%|%[sdg]|\{\w*\}|</?[a-z][^>]*>")

of_each = pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.parts[-3])


def test_every_language_but_the_first_has_its_catalogue() -> None:
    languages = {to_locale(code) for code, _name in settings.LANGUAGES} - {settings.LANGUAGE_CODE}
    assert {path.parts[-3] for path in CATALOGUES} == languages


@of_each
def test_every_text_has_an_entry_and_no_entry_is_of_a_text_that_is_gone(catalogue: Path) -> None:
    known = {entry.key for entry in entries(catalogue.read_text())}
    texts = marked()
    missing = {f"{path.relative_to(ROOT)}: {key[1]}" for key, path in texts.items() if key not in known}
    assert missing == set(), HOW
    assert {text for _context, text in known - texts.keys()} == set(), HOW


@of_each
def test_every_entry_is_translated(catalogue: Path) -> None:
    bad = [
        entry.key[1]
        for entry in entries(catalogue.read_text())
        if entry.fuzzy or not entry.translations or not all(entry.translations)
    ]
    assert bad == [], HOW


@of_each
def test_a_translation_has_the_placeholders_of_its_text(catalogue: Path) -> None:
    def marks(text: str) -> Counter[str]:
        return Counter(PLACEHOLDERS.findall(text))

    bad = [
        (entry.key[1], translation)
        for entry in entries(catalogue.read_text())
        for translation in entry.translations
        if translation
        and marks(translation) not in (marks(entry.plural or entry.key[1]), marks(entry.key[1]))
    ]
    assert bad == []


@of_each
def test_what_is_compiled_is_what_the_catalogue_says(catalogue: Path) -> None:
    with catalogue.with_suffix(".mo").open("rb") as compiled:
        found = vars(gettext.GNUTranslations(compiled))["_catalog"]
    found.pop("", None)
    said = {}
    for entry in entries(catalogue.read_text()):
        key = "\x04".join(filter(None, entry.key))
        for form, translation in enumerate(entry.translations):
            if translation:
                said[(key, form) if entry.plural else key] = translation
    assert found == said, "run `make messages`"


@of_each
def test_a_catalogue_changes_only_where_a_text_did(catalogue: Path) -> None:
    text = catalogue.read_text()
    assert "Creation-Date" not in text
    assert re.findall(r"^#: .*:\d+", text, re.M) == []
    assert re.findall(r"^#~", text, re.M) == []


def test_every_date_pattern_has_its_order_in_chinese() -> None:
    """One that writes a month by its name, or a day before it: `|date:"j M Y"`."""
    patterns = {
        pattern
        for suffix in (".html", ".txt")
        for path in files("templates", suffix=suffix)
        for pattern in re.findall(r"\|(?:date|time):\"([^\"]*)\"", path.read_text())
    }
    for package in ("teams", "quota", "billing"):
        for path in files(package, suffix=".py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "date_format":
                    patterns |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    in_words = {pattern for pattern in patterns if re.search(r"[jdFMDN]", pattern.replace("Y-m-d", ""))}
    assert in_words - PATTERNS.keys() == set(), "tokenplan/formats/zh_Hans/formats.py needs it"


def test_the_console_writes_days_in_one_way() -> None:
    """As `3 Jun 2026`. Operators compare theirs with logs and with Stripe, in ISO."""
    others = {
        f"{path.name}: {pattern}"
        for path in files("templates", suffix=".html")
        if "admin" not in path.parts
        for pattern in re.findall(r"\|date:\"([^\"]*)\"", path.read_text())
        if "Y-m-d" in pattern or "F" in pattern
    }
    assert others == set()


def test_the_check_of_templates_finds_texts_of_each_kind() -> None:
    source = """{% translate "One" %} {% translate "Two" context "of a day" %} {{ x|default:_("Three") }}
    {% blocktranslate trimmed with n=x %}
      Four {{ n }}
    {% endblocktranslate %}
    {% blocktranslate trimmed count n=x %}{{ n }} day{% plural %}{{ n }} days{% endblocktranslate %}
    {% translate "Don't say “six”" %}"""
    assert texts_of_template(source) == {
        ("", "One"),
        ("of a day", "Two"),
        ("", "Three"),
        ("", "Four %(n)s"),
        ("", "%(n)s day"),
        ("", "Don't say “six”"),
    }


def test_the_check_of_modules_finds_texts_by_whatever_name() -> None:
    source = (
        "from django.utils.translation import gettext_lazy as _, ngettext, pgettext as p\n"
        "_('One ' 'and') + ngettext('%(n)s day', '%(n)s days', 2) + p('of a day', 'Two') + other('Three')"
    )
    assert texts_of_module(source) == {("", "One and"), ("", "%(n)s day"), ("of a day", "Two")}
