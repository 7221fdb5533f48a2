"""A table of rows can be read on a phone: there each row is a card, whose cells say what they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tokenplan.runtime.folders import ROOT

TEMPLATES = ROOT / "templates"
# Two narrow columns: a text and its amount.
AMOUNTS = {"billing/change.html"}
# Made for other programs or readers: mail, operators, the documents' own small tables.
OTHERS = ("mail/", "admin/", "docs/")


def tables(path: Path) -> list[str]:
    return re.findall(r"<table\b.*?</table>", path.read_text(), re.S)


FILES = [
    path
    for path in sorted(TEMPLATES.rglob("*.html"))
    if not str(path.relative_to(TEMPLATES)).startswith(OTHERS)
    and str(path.relative_to(TEMPLATES)) not in AMOUNTS
    and any("card-table" in table for table in tables(path))
]


def test_there_are_such_tables() -> None:
    assert len(FILES) > 15


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_the_rows_of_a_table_are_cards_on_a_phone_whose_cells_have_labels(path: Path) -> None:
    for table in tables(path):
        opening = table.partition(">")[0]
        if "card-table" in opening:
            assert "table-cards" in opening
            assert "data-label=" in table or table.count('<th scope="col"') == 2
