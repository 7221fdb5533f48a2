"""Money: whole nano-dollars, read and shown exactly."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota.money import (
    MAX_NANOUSD,
    credits_text,
    credits_words,
    nanousd_from_credits,
    nanousd_from_usd,
    percent,
    usd_text,
)


@pytest.mark.parametrize(
    ("text", "nanousd"),
    [
        ("0.0035", 3_500_000),
        ("60", 60_000_000_000),
        ("0.000000001", 1),
        (" 1.5 ", 1_500_000_000),
        ("-2", -2_000_000_000),
    ],
)
def test_dollars_become_whole_nano_dollars(text: str, nanousd: int) -> None:
    assert nanousd_from_usd(text) == nanousd


@pytest.mark.parametrize("text", ["", "abc", "0.0000000001", "NaN", "Infinity", "1,5", "1e9", "٣", "9" * 16])
def test_an_amount_that_is_not_whole_nano_dollars_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="dollar amount"):
        nanousd_from_usd(text)
    with pytest.raises(ValueError, match="Credits"):
        nanousd_from_credits(text)


@pytest.mark.parametrize(
    ("nanousd", "credits", "usd"),
    [
        (0, "0.000", "$0.00"),
        (12_000_000_000, "12000.000", "$12.00"),
        (1, "0.000001", "$0.000000001"),
        (-1_500_000, "-1.500", "-$0.0015"),
        (1_234_560, "1.23456", "$0.00123456"),
        (1_234_500_000_000, "1234500.000", "$1,234.50"),
    ],
)
def test_amounts_are_shown_exactly(nanousd: int, credits: str, usd: str) -> None:
    assert (credits_text(nanousd), usd_text(nanousd)) == (credits, usd)


@given(st.integers(-(10**15), 10**15))
def test_credits_survive_being_written_and_read(nanousd: int) -> None:
    assert nanousd_from_credits(credits_text(nanousd)) == nanousd


@pytest.mark.parametrize(
    ("text", "nanousd"), [("1", 1_000_000), ("0.000001", 1), (" -2.5 ", -2_500_000), ("1.0000000", 1_000_000)]
)
def test_credits_become_whole_nano_dollars(text: str, nanousd: int) -> None:
    assert nanousd_from_credits(text) == nanousd


@pytest.mark.parametrize("text", ["0.0000001", "1.0000001"])
def test_less_than_a_millionth_of_a_credit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most 6 decimals"):
        nanousd_from_credits(text)


def test_the_most_digits_that_are_read() -> None:
    assert nanousd_from_usd("9" * 15) == (10**15 - 1) * 10**9
    assert nanousd_from_usd("1." + "0" * 30) == 10**9
    with pytest.raises(ValueError, match="dollar amount"):
        nanousd_from_usd("1." + "0" * 31)


def test_no_amount_is_above_a_million_dollars() -> None:
    assert nanousd_from_usd("1000000") == MAX_NANOUSD


@pytest.mark.parametrize(
    ("nanousd", "words"),
    [
        (0, "0"),
        (12_000_000_000, "12,000"),
        (500_000, "0.5"),
        (-500_000, "-0.5"),
        (-3_250_000, "-3.25"),
        (-1_234_567_000_000, "-1,234,567"),
        (1, "0.000001"),
    ],
)
def test_people_read_credits_without_needless_decimals(nanousd: int, words: str) -> None:
    assert credits_words(nanousd) == words


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        *((1, 3, "33.33"), (2, 3, "66.66"), (99_999, 100_000, "99.99"), (3, 3, "100.00"), (4, 3, "133.33")),
        *((0, 3, "0.00"), (0, 0, "100.00"), (5, 0, "100.00"), (1, -1, "100.00"), (0, 1, "0.00")),
    ],
)
def test_percent_are_rounded_down_to_two_decimals(part: int, whole: int, said: str) -> None:
    assert str(percent(part, whole)) == said
    assert percent(part, whole) == Decimal(said)
