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
