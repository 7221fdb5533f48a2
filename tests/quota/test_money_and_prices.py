"""Money, prices, the split of a charge and the text of a key: pure, exact."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota.allocation import Draw, Split, draw, split
from quota.errors import InvalidUsage, ModelUnknown
from quota.money import MAX_NANOUSD, credits_text, nanousd_from_credits, nanousd_from_usd, usd_text
from quota.pricing import MAX_QUANTITY, Card, ModelPrices, Price, charge
from teams.keytext import LENGTH, key_id_of, key_text, new_key_id, new_salt, same_text

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
    ("amount", "room", "credits", "parts"),
    [
        (10, 20, 5, Split(10, 0, 0)),
        (10, 10, 5, Split(10, 0, 0)),
        (10, 7, 5, Split(7, 3, 0)),
        (10, 4, 5, Split(4, 5, 1)),
        (10, 0, 0, Split(0, 0, 10)),
        (10, -3, -1, Split(0, 0, 10)),
        (0, 0, 0, Split(0, 0, 0)),
    ],
)
def test_quota_pays_first_then_credits(amount: int, room: int, credits: int, parts: Split) -> None:
    assert split(amount, room=room, credits=credits) == parts


amounts = st.integers(0, 10**12)


@given(amounts, st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_the_parts_add_up_and_quota_is_never_bypassed(amount: int, room: int, credits: int) -> None:
    parts = split(amount, room=room, credits=credits)
    assert parts.amount == amount
    assert min(parts.from_quota, parts.from_credits, parts.uncovered) >= 0
    assert parts.from_quota <= max(room, 0)
    assert parts.from_credits <= max(credits, 0)
    assert parts.from_credits == 0 or parts.from_quota == max(room, 0)
    assert parts.uncovered == 0 or parts.from_credits == max(credits, 0)


def test_lots_are_drawn_from_in_their_order() -> None:
    assert draw(12, [(1, 5), (2, 0), (3, 10), (4, 10)]) == [Draw(1, 5), Draw(3, 7)]
    assert draw(0, [(1, 5)]) == []


def test_more_than_the_lots_hold_is_never_drawn() -> None:
    with pytest.raises(ValueError, match="lack 1 nano-dollars"):
        draw(11, [(1, 5), (2, 5)])


def test_a_key_is_its_prefix_an_id_a_secret_and_a_checksum() -> None:
    key_id, salt = new_key_id(), new_salt()
    text = key_text(root=b"root", key_id=key_id, salt=salt)
    assert len(text) == LENGTH == 64
    assert text.startswith("sk-cp-" + key_id)
    assert key_id_of(text) == key_id
    assert same_text(text, key_text(root=b"root", key_id=key_id, salt=salt))


def test_another_root_or_salt_gives_another_key() -> None:
    key_id, salt = new_key_id(), new_salt()
    texts = {
        key_text(root=b"root", key_id=key_id, salt=salt),
        key_text(root=b"other", key_id=key_id, salt=salt),
        key_text(root=b"root", key_id=key_id, salt=new_salt()),
        key_text(root=b"root", key_id=new_key_id(), salt=salt),
    }
    assert len(texts) == 4


GOOD = key_text(root=b"root", key_id="0123456789ab", salt=b"salt")


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "sk-cp-",
        "sk-api-" + GOOD[7:],
        GOOD[:-1],
        GOOD + "0",
        GOOD[:-1] + "_",
        GOOD.replace("0", "é", 1),
        "\0" * LENGTH,
    ],
)
def test_garbage_has_no_id(garbage: str) -> None:
    assert key_id_of(garbage) is None


@given(st.integers(6, LENGTH - 1), st.sampled_from("0Az"))
def test_one_changed_character_makes_garbage(position: int, character: str) -> None:
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    assert (key_id_of(changed) is None) == (changed != GOOD)
