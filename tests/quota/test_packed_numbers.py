"""Numbers in few bytes come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota.packed_numbers import packed, unpacked


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        *((0, "00"), (1, "02"), (-1, "01"), (63, "7e"), (-64, "7f"), (64, "80 01"), (-65, "81 01")),
        *((8191, "fe 7f"), (8192, "80 80 01"), (-(2**63), "ff ff ff ff ff ff ff ff ff 01")),
    ],
)
def test_seven_bits_of_a_number_and_its_sign_take_a_byte(number: int, kept: str) -> None:
    assert packed([number]).hex(" ") == kept


@given(st.lists(st.integers()))
def test_all_numbers_come_back(numbers: list[int]) -> None:
    assert unpacked(packed(numbers)) == numbers
    assert unpacked(memoryview(packed(numbers))) == numbers


def test_a_number_that_is_cut_off_is_none() -> None:
    kept = packed([5, 8192])
    assert unpacked(kept[:1]) == [5]
    for length in (2, 3):
        with pytest.raises(ValueError, match="has no end"):
            unpacked(kept[:length])
