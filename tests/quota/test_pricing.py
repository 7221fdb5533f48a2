"""What a call costs: exact, and rounded once."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota.errors import InvalidUsage, ModelUnknown
from quota.money import MAX_NANOUSD
from quota.pricing import MAX_QUANTITY, Card, ModelPrices, Price, charge

TALKER = ModelPrices(
    "talker",
    "language",
    (
        Price("input_tokens", 1_000_000, 300_000_000),
        Price("output_tokens", 1_000_000, 1_200_000_000),
        Price("cache_read_tokens", 1_000_000, 60_000_000),
        Price("input_tokens", 1_000_000, 600_000_000, 512_000),
        Price("output_tokens", 1_000_000, 2_400_000_000, 512_000),
        Price("cache_read_tokens", 1_000_000, 120_000_000, 512_000),
    ),
)

ODD = ModelPrices("odd", "language", (Price("ticks", 3, 1), Price("tocks", 7, 1)))

CARD = Card(datetime(2026, 1, 1, tzinfo=UTC), {"talker": TALKER, "odd": ODD})


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        ({"input_tokens": 4808, "output_tokens": 10}, 1_454_400),
        ({"input_tokens": 1}, 300),
        ({"input_tokens": 512_000}, 153_600_000),  # a context of exactly 512k is not over it
        ({"input_tokens": 512_001}, 307_200_600),  # one more, and the whole call is at the higher tier
        ({"input_tokens": 1, "cache_read_tokens": 512_000}, 600 + 61_440_000),  # cache hits are input
        ({"output_tokens": 600_000}, 720_000_000),  # output is not
        ({"input_tokens": 0}, 0),
    ],
)
def test_a_call_costs_what_the_rate_card_says(usage: dict[str, int], amount: int) -> None:
    assert charge(CARD, "talker", usage).amount == amount


@pytest.mark.parametrize(("ticks", "amount"), [(1, 0), (2, 1), (3, 1), (4, 1), (5, 2)])
def test_a_charge_is_rounded_to_the_nearest_nano_dollar(ticks: int, amount: int) -> None:
    assert charge(CARD, "odd", {"ticks": ticks}).amount == amount


def test_a_half_is_rounded_up() -> None:
    half = Card(CARD.effective_from, {"m": ModelPrices("m", "x", (Price("calls", 2, 1),))})
    assert [charge(half, "m", {"calls": n}).amount for n in (1, 2, 3)] == [1, 1, 2]


@given(st.integers(0, MAX_QUANTITY), st.integers(0, MAX_QUANTITY))
def test_a_charge_is_rounded_once_over_all_its_meters(ticks: int, tocks: int) -> None:
    exact = Fraction(ticks, 3) + Fraction(tocks, 7)
    amount = charge(CARD, "odd", {"ticks": ticks, "tocks": tocks}).amount
    assert exact - Fraction(1, 2) < amount <= exact + Fraction(1, 2)


def test_the_prices_used_are_named_with_the_charge() -> None:
    used = charge(CARD, "talker", {"output_tokens": 1, "input_tokens": 600_000}).prices
    assert used == (
        Price("output_tokens", 1_000_000, 2_400_000_000, 512_000),
        Price("input_tokens", 1_000_000, 600_000_000, 512_000),
    )


def test_a_model_that_is_not_on_the_card_is_unknown() -> None:
    with pytest.raises(ModelUnknown) as refusal:
        charge(CARD, "whisper", {"input_tokens": 1})
    assert refusal.value.pointer == "/model"
    with pytest.raises(ModelUnknown):
        charge(None, "talker", {"input_tokens": 1})


@pytest.mark.parametrize(
    ("usage", "pointer"),
    [
        ({}, None),
        ({"images": 1}, "/images"),
        ({"input_tokens": -1}, "/input_tokens"),
        ({"input_tokens": MAX_QUANTITY + 1}, "/input_tokens"),
    ],
)
def test_usage_that_cannot_be_priced_is_refused_by_the_meter(
    usage: dict[str, int], pointer: str | None
) -> None:
    with pytest.raises(InvalidUsage) as refusal:
        charge(CARD, "talker", usage)
    assert refusal.value.pointer == pointer


def test_no_call_costs_more_than_a_million_dollars() -> None:
    dear = Card(CARD.effective_from, {"m": ModelPrices("m", "x", (Price("calls", 1, MAX_NANOUSD),))})
    assert charge(dear, "m", {"calls": 1}).amount == MAX_NANOUSD
    with pytest.raises(InvalidUsage):
        charge(dear, "m", {"calls": 2})
