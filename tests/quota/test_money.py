"""Money: whole nano-dollars, read and shown exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota.money import credits_text, nanousd_from_credits, nanousd_from_usd, usd_text


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
