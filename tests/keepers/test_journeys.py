"""A click does not wait for the page that it leads to: what is read right after it is the page before.

So something that only the next page has is expected first; else a journey fails once in some hundred runs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.keepers import files

# The last act is a click, whose page these do not wait for.
CLICKS = re.compile(r"\.click\(\)$|^(pay|press_in_menu|confirm_password)\(page\b")
# Reads or leaves the page as it is at that moment; locators' own reads wait until there is what they read.
AT_ONCE = re.compile(
    r"\b(page|other)\.(goto|reload|go_back)\(|\b(overhang|violations)\(|\.(evaluate|content|count|is_visible)\(|"
    r"\.objects\.|\bpage\.url\b"
)


def first_act(statement: ast.stmt) -> str:
    """What is done first of a statement; a loop's and a condition's own part comes before its body."""
    match statement:
        case ast.For(body=[first, *_]):
            return f"{ast.unparse(statement.iter)}: {first_act(first)}"
        case ast.If() | ast.While():
            return ast.unparse(statement.test)
        case ast.With():
            return ", ".join(ast.unparse(item) for item in statement.items)
        case _:
            return ast.unparse(statement)


def hasty(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every statement that follows a click and waits for nothing, with its line."""
    for node in ast.walk(tree):
        for part in ("body", "orelse", "finalbody"):
            below = getattr(node, part, None)
            statements = below if isinstance(below, list) else []
            for before, after in pairwise(statements):
                act = first_act(after)
                clicks = isinstance(before, ast.Expr) and CLICKS.search(ast.unparse(before))
                if clicks and AT_ONCE.search(act) and "expect(" not in act:
                    yield after.lineno, act


JOURNEYS = [path for path in files("tests") if "playwright" in path.read_text()]


@pytest.mark.parametrize("path", JOURNEYS, ids=str)
def test_nothing_reads_a_page_right_after_a_click(path: Path) -> None:
    assert list(hasty(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "after",
    [
        "assert overhang(page) == 0",
        "page.goto(url)",
        "for path in PATHS:\n    page.goto(path)",
        "if page.get_by_label('Password').count():\n    pass",
        "assert not Seat.objects.exists()",
    ],
)
def test_that_is_noticed(after: str) -> None:
    for click in ("page.get_by_role('link').click()", "pay(page)"):
        assert list(hasty(ast.parse(f"{click}\n{after}")))
        assert not list(hasty(ast.parse(f"{click}\nexpect(main).to_contain_text('There')\n{after}")))
