"""What a call costs: exact, and rounded once."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota import pricing
from quota.errors import InvalidUsage, ModelUnknown
from quota.money import MAX_NANOUSD
from quota.pricing import MAX_QUANTITY, Card, ModelPrices, Price, charge, estimated

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

CARD = Card(7, datetime(2026, 1, 1, tzinfo=UTC), {"talker": TALKER, "odd": ODD})


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        ({"input_tokens": 4808, "output_tokens": 10}, 1_454_400),
        ({"input_tokens": 1}, 300),
        ({"input_tokens": 512_000}, 153_600_000),  # a context of exactly 512k is not over it
        ({"input_tokens": 512_001}, 307_200_600),  # one more, and the whole call is at the higher tier
        ({"input_tokens": 1, "cache_read_tokens": 512_000}, 600 + 61_440_000),  # cache hits are input
        ({"input_tokens": 1, "cache_write_tokens": 512_000}, 600 + 307_200_000),  # and so are cache writes
        ({"cache_read_tokens": 256_000, "cache_write_tokens": 256_001}, 30_720_000 + 153_600_600),
        ({"output_tokens": 600_000}, 720_000_000),  # output is not
        ({"cache_write_tokens": 10}, 3_000),  # without a price of its own: as input
        ({"input_tokens": 5, "images": 0}, 1_500),  # nothing of a meter without a price
        ({"input_tokens": 0}, 0),
    ],
)
def test_a_call_costs_what_the_rate_card_says(usage: dict[str, int], amount: int) -> None:
    assert charge(CARD, "talker", usage).amount == amount


@pytest.mark.parametrize(("ticks", "amount"), [(1, 0), (2, 1), (3, 1), (4, 1), (5, 2)])
def test_a_charge_is_rounded_to_the_nearest_nano_dollar(ticks: int, amount: int) -> None:
    assert charge(CARD, "odd", {"ticks": ticks}).amount == amount


def test_a_half_is_rounded_up() -> None:
    half = Card(1, CARD.effective_from, {"m": ModelPrices("m", "x", (Price("calls", 2, 1),))})
    assert [charge(half, "m", {"calls": n}).amount for n in (1, 2, 3)] == [1, 1, 2]


@given(st.integers(0, MAX_QUANTITY), st.integers(0, MAX_QUANTITY))
def test_a_charge_is_rounded_once_over_all_its_meters(ticks: int, tocks: int) -> None:
    exact = Fraction(ticks, 3) + Fraction(tocks, 7)
    amount = charge(CARD, "odd", {"ticks": ticks, "tocks": tocks}).amount
    assert exact - Fraction(1, 2) < amount <= exact + Fraction(1, 2)


def test_the_prices_used_are_named_with_the_charge() -> None:
    usage = {"output_tokens": 1, "input_tokens": 600_000, "images": 1}
    assert list(TALKER.used(usage).items()) == [
        ("images", None),
        ("input_tokens", Price("input_tokens", 1_000_000, 600_000_000, 512_000)),
        ("output_tokens", Price("output_tokens", 1_000_000, 2_400_000_000, 512_000)),
    ]
    assert charge(CARD, "talker", usage).card_id == 7


@pytest.mark.parametrize("meter", ["cache_read_tokens", "cache_write_tokens"])
def test_cache_tokens_without_a_price_are_charged_as_input_in_their_tier(meter: str) -> None:
    plain = ModelPrices("m", "x", tuple(p for p in TALKER.prices if p.meter == "input_tokens"))
    card = Card(1, CARD.effective_from, {"m": plain})
    assert charge(card, "m", {meter: 512_000}).amount == 153_600_000
    dear = charge(card, "m", {"input_tokens": 1, meter: 512_000})
    assert (dear.amount, dear.unpriced) == (307_200_600, ())
    # The receipt names the meter that was used, with the price that it was charged at.
    used = plain.used({"input_tokens": 1, meter: 512_000})
    assert used[meter] == Price(meter, 1_000_000, 600_000_000, 512_000)


def test_a_meter_without_any_price_is_named_and_the_rest_is_charged() -> None:
    made = charge(CARD, "talker", {"images": 2, "input_tokens": 10, "songs": 1})
    assert (made.amount, made.unpriced) == (3_000, ("images", "songs"))
    nothing = charge(CARD, "talker", {"images": 2})
    assert (nothing.amount, nothing.unpriced) == (0, ("images",))
    assert nothing.modality == "language"


@pytest.mark.parametrize("meter", ["cache_read_tokens", "cache_write_tokens"])
def test_cache_tokens_of_a_model_without_input_tokens_have_no_price(meter: str) -> None:
    assert charge(CARD, "odd", {"ticks": 3, meter: 5}).unpriced == (meter,)


def test_a_quantity_of_zero_needs_no_price() -> None:
    made = charge(CARD, "talker", {"images": 0})
    assert (made.amount, made.unpriced) == (0, ())


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
    dear = Card(1, CARD.effective_from, {"m": ModelPrices("m", "x", (Price("calls", 1, MAX_NANOUSD),))})
    assert charge(dear, "m", {"calls": 1}).amount == MAX_NANOUSD
    with pytest.raises(InvalidUsage):
        charge(dear, "m", {"calls": 2})


def test_an_estimate_costs_what_the_call_would() -> None:
    assert estimated(CARD, "talker", {"input_tokens": 4808, "output_tokens": 10, "images": 0}) == 1_454_400


def test_an_estimate_needs_a_price_for_every_meter_and_the_refusal_names_them() -> None:
    with pytest.raises(InvalidUsage) as refusal:
        estimated(CARD, "talker", {"input_tokens": 1, "images": 2, "songs": 1})
    assert refusal.value.pointer == "/images"
    known = "cache_read_tokens, input_tokens, output_tokens"
    assert refusal.value.detail == f"talker has no meter 'images'; it has {known}"


def test_a_refusal_names_what_is_not_on_the_card_and_how_much_is_too_much() -> None:
    with pytest.raises(ModelUnknown, match="The model 'whisper' is not on the rate card"):
        charge(CARD, "whisper", {"input_tokens": 1})
    with pytest.raises(InvalidUsage, match=r"between 0 and 1000000000000$"):
        charge(CARD, "talker", {"input_tokens": 10**12 + 1})
    assert charge(CARD, "talker", {"input_tokens": 10**12}).amount == 6 * 10**14


def test_a_model_is_found_by_its_name_or_by_another_name_of_it() -> None:
    card = Card(7, CARD.effective_from, CARD.models, {"chat": "talker", "lost": "nothing"})
    assert [card.find(name) for name in ("talker", "chat")] == [TALKER, TALKER]
    assert [card.find(name) for name in ("lost", "nothing", "", "whisper")] == [None] * 4
    assert card.model("chat") == TALKER
    with pytest.raises(ModelUnknown, match="The model 'lost' is not on the rate card") as refused:
        card.model("lost")
    assert refused.value.pointer == "/model"


def test_a_call_without_an_estimate_holds_the_default_of_its_model() -> None:
    held = replace(TALKER, default_hold=7)
    assert pricing.DEFAULT_HOLD == "default_hold"  # a word of the list
    card = Card(1, CARD.effective_from, {"talker": held, "odd": ODD}, {"chat": "talker"})
    assert [estimated(card, name, None) for name in ("talker", "chat")] == [7, 7]
    assert estimated(card, "talker", {"input_tokens": 10}) == 3000
    with pytest.raises(InvalidUsage, match="odd has no default hold: give an estimate"):
        estimated(card, "odd", None)


def test_meters_are_named_in_one_order_each_once() -> None:
    names = [f"{letter}_meter" for letter in "hgfedcbaab"]
    model = ModelPrices("m", "x", tuple(Price(name, 1, 1) for name in names))
    assert model.meters == [f"{letter}_meter" for letter in "abcdefgh"]
