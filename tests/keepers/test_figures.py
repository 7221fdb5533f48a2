"""Figures of what is sold are read from where they are kept: no page and no mail has one typed into it."""

from __future__ import annotations

import re

from tests.keepers import files
from tokenplan.runtime.folders import ROOT

# An amount of money, or a length of time, in digits or in words: that of a window has a price.
TYPED = re.compile(
    r"\$\d[\d,.]*"
    r"|\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|ninety)"
    r"[ -](?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b",
    re.IGNORECASE,
)
# What a Credit is and how many months a year has never changes; an app shows each code for 30 seconds,
# wherever it is used; and what pages look back on, or how long one takes to begin, no customer is promised.
MEANT = re.compile(
    r"\$0\.001|twelve months|every 30 seconds|(?:first call|curl and Python,) in five minutes"
    r"|last (?:30|7) days|(?:in|for) 30 days|14 days|(?:for|in) three weeks"
)


def test_no_template_has_a_price_or_a_term_typed_into_it() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {typed}"
        for suffix in (".html", ".txt")
        for file in files("templates", suffix=suffix)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        for typed in TYPED.findall(MEANT.sub("", line))
    ]

    assert found == []
