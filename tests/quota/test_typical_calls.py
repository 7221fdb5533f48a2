"""What a typical call costs, and how much of a window that is."""

from __future__ import annotations

import pytest

from quota.pricing import Card, ModelPrices, Price
from quota.typical_calls import calls_in, share_text, typical_call
from tests.helpers.factories import MONDAY, USD

MILLION = 1_000_000


def priced(modality: str, *prices: Price) -> tuple[Card, ModelPrices]:
    model = ModelPrices("m", modality, prices)
    return Card(1, MONDAY, {"m": model}), model


def test_a_language_model_takes_one_step_of_a_coding_agent() -> None:
    card, model = priced(
        "language",
        Price("input_tokens", MILLION, 300_000_000),
        Price("cache_read_tokens", MILLION, 60_000_000),
        Price("output_tokens", MILLION, 1_200_000_000),
        Price("input_tokens", MILLION, 600_000_000, context_over=512_000),
    )

    call = typical_call(card, model)

    assert call.usage == {"input_tokens": 5_000, "cache_read_tokens": 15_000, "output_tokens": 1_000}
    assert call.nanousd == 1_500_000 + 900_000 + 1_200_000


def test_without_a_price_for_the_cache_it_is_charged_as_input() -> None:
    card, model = priced(
        "language",
        Price("input_tokens", MILLION, 300_000_000),
        Price("output_tokens", MILLION, 1_200_000_000),
    )

    assert typical_call(card, model).nanousd == 20_000 * 300 + 1_200_000


@pytest.mark.parametrize(
    ("meter", "unit", "price", "usage", "nanousd"),
    [
        ("characters", MILLION, 60 * USD, 1_000, 60_000_000),
        ("clips", 1, 190_000_000, 1, 190_000_000),
        ("images", 1, 3_500_000, 1, 3_500_000),
        ("calls", 1, 10_000_000, 1, 10_000_000),
    ],
)
def test_anything_else_takes_a_thousand_characters_or_one(
    meter: str, unit: int, price: int, usage: int, nanousd: int
) -> None:
    card, model = priced("speech", Price(meter, unit, price))

    call = typical_call(card, model)

    assert (call.usage, call.nanousd) == ({meter: usage}, nanousd)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (3_600_000, 3_300_000_000, "0.11"),
        (3_600_000, 99 * USD, "0.0036"),
        (190_000_000, 3_300_000_000, "5.8"),
        (3 * USD, 3_300_000_000, "91"),
        (5 * USD, 3_300_000_000, "152"),
        (1, 100, "1"),
        (33, 33, "100"),
        (1_005, 100_000, "1"),
        (995, 100_000, "1"),
        (125, 1_000, "13"),
        (0, 100, "0"),
        (1, 0, "100"),
        (2, 1, "200"),
    ],
)
def test_a_share_has_two_digits(part: int, whole: int, text: str) -> None:
    assert share_text(part, whole) == text


@pytest.mark.parametrize(("limit", "price", "calls"), [(10, 3, 3), (9, 3, 3), (2, 3, 0), (9, 0, None)])
def test_as_many_calls_fit_as_the_limit_holds_whole(limit: int, price: int, calls: int | None) -> None:
    assert calls_in(limit, price) == calls
