"""Catalogues of translations, read without GNU gettext; and the texts of the code that need an entry."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation.template import templatize

from tokenplan.runtime.folders import ROOT

CATALOGUES = sorted((ROOT / "locale").glob("*/LC_MESSAGES/django.po"))
LINE = re.compile(r'(?P<word>msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)? ?(?P<text>".*")')
STRING = re.compile(r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
CALL = re.compile(rf"\b(?P<mark>n?p?gettext|_)\((?P<texts>(?:\s*,?\s*{STRING.pattern})+)")

Key = tuple[str, str]  # the context, or "", and the text, of a plural the singular


@dataclass(frozen=True)
class Entry:
    """`plural` is "" where there is none, and `translations` one for each form."""

    key: Key
    plural: str
    translations: tuple[str, ...]
    fuzzy: bool


def entries(catalogue: str) -> Iterator[Entry]:
    """Of the text of a .po file, without its header."""
    for block in catalogue.split("\n\n")[1:]:
        said: dict[str, str] = {}
        word = ""
        for line in block.splitlines():
            if match := LINE.fullmatch(line):
                word = match["word"] or word
                said[word] = said.get(word, "") + ast.literal_eval(match["text"])
        if "msgid" in said:
            found = tuple(text for name, text in said.items() if name.startswith("msgstr"))
            key = (said.get("msgctxt", ""), said["msgid"])
            yield Entry(
                key, said.get("msgid_plural", ""), found, re.search("^#,.*fuzzy", block, re.M) is not None
            )


def texts_of_template(source: str) -> set[Key]:
    """What `translate`, `blocktranslate` and `_("…")` mark."""
    found = set()
    for call in CALL.finditer(templatize(source)):
        texts = [ast.literal_eval(text) for text in STRING.findall(call["texts"])]
        found.add((texts[0], texts[1]) if "p" in call["mark"] else ("", texts[0]))
    return found


def texts_of_module(source: str) -> set[Key]:
    """What is passed to gettext and its kin, by whatever name the module imports them."""
    tree = ast.parse(source)
    names = {
        alias.asname or alias.name: alias.name.removesuffix("_lazy")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
        if "gettext" in alias.name
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            texts = [
                arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
            if texts:
                with_context = names[node.func.id] in ("pgettext", "npgettext")
                found.add((texts[0], texts[1]) if with_context else ("", texts[0]))
    return found


def marked(
    packages: tuple[str, ...] = ("teams", "quota", "billing", "tokenplan", "templates"),
) -> dict[Key, Path]:
    """Every text that the code marks, with a file that does."""
    found: dict[Key, Path] = {}
    for path in (path for package in packages for path in sorted((ROOT / package).rglob("*"))):
        if "local_stripe" in path.parts or path.suffix not in (".py", ".html", ".txt"):
            continue
        source = path.read_text()
        if path.suffix != ".py":
            found |= dict.fromkeys(texts_of_template(source), path)
        elif "gettext" in source:
            found |= dict.fromkeys(texts_of_module(source), path)
    return found
