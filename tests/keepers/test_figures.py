"""Figures of what is sold are read from where they are kept: no page and no mail has one typed into it."""

from __future__ import annotations

import re

from tests.keepers import files
from tokenplan.runtime.folders import ROOT

# An amount of money, or a time of two digits or in words.
TYPED = re.compile(r"\$\d[\d,.]*|\b(?:\d{2,}|seven|ninety)[ -](?:days?|minutes?)\b")
# What a Credit is never changes; and what pages look back on, no customer is promised.
MEANT = re.compile(r"\$0\.001|last 30 days|in 30 days|for 30 days|14 days|last seven days")


def test_no_template_has_a_price_or_a_term_typed_into_it() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {typed}"
        for suffix in (".html", ".txt")
        for file in files("templates", suffix=suffix)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        for typed in TYPED.findall(MEANT.sub("", line))
    ]

    assert found == []
