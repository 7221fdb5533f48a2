"""What a call costs by the rate card."""

from __future__ import annotations

import pytest
from tokenplan_litellm.prices import card_from


def price(meter: str, nanousd: int, over: int = 0, unit: int = 1_000_000) -> dict[str, object]:
    return {"meter": meter, "unit_size": unit, "nanousd_per_unit": nanousd, "context_over": over}


CARD = card_from(
    {
        "models": [
            {
                "model": "big",
                "aliases": ["claude-big"],
                "default_hold_nanousd": 5,
                "prices": [
                    price("input_tokens", 300_000_000),
                    price("output_tokens", 1_200_000_000),
                    price("cache_read_tokens", 60_000_000),
                    price("cache_write_tokens", 375_000_000),
                    price("input_tokens", 600_000_000, over=512_000),
                    price("output_tokens", 2_400_000_000, over=512_000),
                ],
            },
            {
                "model": "plain",
                "aliases": [],
                "prices": [price("input_tokens", 1), price("output_tokens", 3)],
            },
            {"model": "pictures", "aliases": [], "prices": [price("images", 3_500_000, unit=1)]},
        ]
    }
)


def cost(name: str, **usage: int) -> int:
    model = CARD.model(name)
    assert model
    return model.cost(usage)


def most(name: str, **estimate: int) -> int | None:
    model = CARD.model(name)
    assert model
    return model.most(estimate)


def test_models_are_found_by_name_and_by_alias() -> None:
    big = CARD.model("big")
    assert big
    assert CARD.model("claude-big") is big
    assert (big.name, big.default_hold) == ("big", 5)
    assert CARD.model("none") is None


def test_usage_costs_what_the_console_charges() -> None:
    assert cost("big", input_tokens=60, cache_read_tokens=40, output_tokens=10) == 32_400
    assert cost("pictures", images=3) == 10_500_000
    assert cost("big", voices=3) == 0
    assert cost("big", input_tokens=0) == 0


def test_a_tier_counts_all_of_the_input_and_begins_above_its_bound() -> None:
    assert cost("big", input_tokens=511_999, cache_read_tokens=1) == 511_999 * 300 + 60
    assert cost("big", input_tokens=512_000, cache_read_tokens=1) == 512_000 * 600 + 60
    assert cost("big", input_tokens=512_001, output_tokens=1) == 512_001 * 600 + 2400


def test_cached_tokens_without_a_price_cost_what_input_costs() -> None:
    assert cost("plain", cache_read_tokens=1_000_000) == 1


@pytest.mark.parametrize(("tokens", "amount"), [(499_999, 0), (500_000, 1), (1_499_999, 1), (1_500_000, 2)])
def test_an_amount_is_rounded_once_and_half_up(tokens: int, amount: int) -> None:
    assert cost("plain", input_tokens=tokens) == amount
    assert cost("plain", input_tokens=400_000, output_tokens=50_000) == 1  # 0.40 + 0.15


def test_the_most_that_an_estimate_costs_is_at_the_dearest_way_to_read_its_input() -> None:
    assert most("big", input_tokens=1000, output_tokens=10) == 1000 * 375 + 10 * 1200
    assert most("big", input_tokens=600_000) == 600_000 * 600
    assert most("plain", input_tokens=1_000_000) == 1
    assert most("big", images=1) is None
