"""Arithmetic of cents, against models that are too slow and too plain to be wrong."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenplan.local_stripe.objects import amounts


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**8), st.integers(1, 10**8))
def test_a_part_is_rounded_to_the_nearest_cent_and_halves_away_from_zero(
    amount: int, numerator: int, denominator: int
) -> None:
    exact = Fraction(amount * numerator, denominator)
    found = amounts.part(amount, numerator, denominator)
    assert abs(found - exact) <= Fraction(1, 2)
    assert amounts.part(-amount, numerator, denominator) == -found
    if abs(found - exact) == Fraction(1, 2):
        assert abs(found) > abs(exact)


@given(st.integers(0, 10**7), st.lists(st.integers(0, 10**6), max_size=8))
def test_shares_come_to_the_total_and_none_exceeds_its_weight_when_the_total_does_not(
    total: int, weights: list[int]
) -> None:
    total = min(total, sum(weights))
    found = amounts.shares(total, weights)
    assert sum(found) == total
    assert all(0 <= share <= weight for share, weight in zip(found, weights, strict=True))


@pytest.mark.parametrize(
    ("total", "balance", "due", "left"),
    [
        (2_000, 0, 2_000, 0),
        (2_000, -500, 1_500, 0),
        (2_000, -2_000, 0, 0),
        (2_000, -2_500, 0, -500),
        (-700, 0, 0, -700),
        (-700, -300, 0, -1_000),
        (-700, 1_000, 300, 0),
        (2_000, 300, 2_300, 0),
        (49, 0, 0, 49),
        (50, 0, 50, 0),
        (0, 0, 0, 0),
    ],
)
def test_a_balance_pays_first_and_less_than_50_cents_is_left_to_it(
    total: int, balance: int, due: int, left: int
) -> None:
    assert amounts.settled(total, balance) == (due, left)


def test_percentages_may_have_two_places() -> None:
    assert amounts.percent(999, Decimal("33.33")) == 333
    assert amounts.percent(1_000, Decimal("12.55")) == 126
    assert amounts.percent(1_000, Decimal(100)) == 1_000
