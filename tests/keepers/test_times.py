"""People read times in their own zone: no template says UTC beside a moment, which would be another one's."""

from __future__ import annotations

import re

from tests.keepers import files
from tokenplan.runtime.folders import ROOT

# What is counted in UTC for everyone: months, weeks, and where nobody has signed in.
IN_UTC = re.compile(r"calendar month \(UTC\)|Monday, 00:00 UTC|All times are UTC|(Day|Hour) \(UTC\)")


def test_no_template_says_utc_beside_a_moment() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for suffix in (".html", ".txt")
        for file in files("templates", suffix=suffix)
        if "admin" not in file.parts
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if re.search(r"\bUTC\b(?!\")", IN_UTC.sub("", line))
    ]

    assert found == []
