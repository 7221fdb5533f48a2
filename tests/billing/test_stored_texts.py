"""What changes and purchases are called, in the reader's language."""

from __future__ import annotations

import pytest
from django.utils import translation

from billing.stored_texts import PATTERNS, in_readers_words
from tests.helpers.catalogues import marked

TEXTS = [
    "Seat 3",
    "Add 1 seat of Max",
    "Add 2 seats of Max",
    "Move seats 3, 4, 5, 6, 7 and 2 more to Plus",
    "Give up seat 3 at the period's end",
    "Keep seats 3, 4 as now",
    "Pay by the month",
    "Undo: Add 2 seats of Max",
    "2 × Max, 1 × Plus, paid monthly",
    "10,000 Credits",
    "$12.00 of API balance",
    "The payment service did not get it.",
]


def test_each_pattern_is_a_text_of_the_code() -> None:
    texts = {text for _context, text in marked()}
    assert {one for one, _many in PATTERNS} - texts == set()


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_stored_is_said_in_chinese(text: str) -> None:
    assert in_readers_words(text) == text
    with translation.override("zh-hans"):
        said = in_readers_words(text)
    assert not said.isascii()
    assert "seat" not in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2 × Token Plan Max (at $50.00 / month)", "2 × Token Plan Max（每月 $50.00）"),
        ("1 × Token Plan Max (at $500.00 / year)", "1 × Token Plan Max（每年 $500.00）"),
        ("Unused time on 3 × Max after 28 Nov 2026", "3 × Max 在 28 Nov 2026 之后未使用的时间"),
        ("Remaining time on Max after 28 Nov 2026", "Max 在 28 Nov 2026 之后剩余的时间"),
        ("Tax", "Tax"),
    ],
)
def test_lines_of_stripes_invoices_are_said_in_chinese_where_their_pattern_is_known(
    line: str, said: str
) -> None:
    assert in_readers_words(line) == line
    with translation.override("zh-hans"):
        assert in_readers_words(line) == said
