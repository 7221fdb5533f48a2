"""Amounts as people read them."""

from __future__ import annotations

import pytest

from quota.templatetags.amounts import about_credits, cause, cents


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (0, "$0.00"),
        (1, "<$0.01"),
        (4_999_999, "<$0.01"),
        (5_000_000, "$0.01"),
        (1_234_567_890, "$1.23"),
        (12_345_678_901_234, "$12,345.68"),
        (-1, ">-$0.01"),
        (-1_235_000_000, "-$1.24"),
    ],
)
def test_in_lists_money_has_two_decimals(nanousd: int, text: str) -> None:
    assert cents(nanousd) == text


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (0, "0"),
        (1, "<0.01"),
        (4_999, "<0.01"),
        (5_000, "0.01"),
        (1_234_567, "1.23"),
        (12_000_000_000, "12,000"),
        (-1, ">-0.01"),
        (-1_235_000, "-1.24"),
    ],
)
def test_in_lists_credits_have_at_most_two_decimals(nanousd: int, text: str) -> None:
    assert about_credits(nanousd) == text


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ("operator 45c27bd73da0: Goodwill: an outage", "Goodwill: an outage"),
        ("operator of ours: thanks", "Operator of ours: thanks"),
        ("payment pi_1 lost in a dispute", "Payment pi_1 lost in a dispute"),
    ],
)
def test_the_ledger_says_why_without_what_only_makes_a_source_unique(kept: str, said: str) -> None:
    assert cause(kept) == said
