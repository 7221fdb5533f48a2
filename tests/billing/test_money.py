"""Cents, packs and the least that a card is charged."""

import pytest

from billing import money
from billing.money import (
    LEAST_CHARGE_NANOUSD,
    MAX_PACKS,
    NANOUSD_PER_CENT,
    NANOUSD_PER_PACK,
    PACK_KEY,
    cents_from_nanousd,
    due_nanousd,
    nanousd_from_cents,
    percent_text,
    share_of_payment,
)
from quota.money import NANOUSD_PER_CREDIT


def test_a_pack_of_credits_costs_five_dollars_and_holds_five_dollars_worth() -> None:
    assert NANOUSD_PER_PACK == nanousd_from_cents(500) == 5_000 * NANOUSD_PER_CREDIT
    assert PACK_KEY == "credits_5000"


def test_at_most_a_million_credits_are_bought_at_once() -> None:
    assert MAX_PACKS * 5_000 == 1_000_000


USD = 100 * NANOUSD_PER_CENT


@pytest.mark.parametrize(
    ("account", "key", "least", "most"),
    [("credits", "credits_5000", 5, 1_000), ("balance", "api_balance_usd", 5, 1_000)],
)
def test_what_goes_into_an_account_is_sold_from_five_to_a_thousand_dollars(
    account: str, key: str, least: int, most: int
) -> None:
    pack = money.PACKS[account]
    assert (pack.key, pack.least_nanousd, pack.most_nanousd) == (key, least * USD, most * USD)


@pytest.mark.parametrize(
    ("account", "wanted", "sold"),
    [
        *(("credits", 1, 5 * USD), ("credits", 5 * USD, 5 * USD), ("credits", 5 * USD + 1, 10 * USD)),
        *(("balance", 1, 5 * USD), ("balance", 5 * USD + 1, 6 * USD), ("balance", 7 * USD, 7 * USD)),
    ],
)
def test_an_amount_is_sold_in_whole_packs_and_no_less_than_the_least(
    account: str, wanted: int, sold: int
) -> None:
    assert money.PACKS[account].whole(wanted) == sold


@pytest.mark.parametrize(("cents", "nanousd"), [(0, 0), (1, 10_000_000), (-250, -2_500_000_000)])
def test_cents_are_exact_both_ways(cents: int, nanousd: int) -> None:
    assert nanousd_from_cents(cents) == nanousd
    assert cents_from_nanousd(nanousd) == cents


@pytest.mark.parametrize("nanousd", [1, 9_999_999, 10_000_001, -1])
def test_a_part_of_a_cent_is_refused(nanousd: int) -> None:
    with pytest.raises(ValueError, match="whole cents"):
        cents_from_nanousd(nanousd)


@pytest.mark.parametrize(
    ("total", "balance", "due"),
    [(50, 0, 50), (49, 0, 0), (30, 20, 50), (30, 19, 0), (80, -30, 50), (80, -31, 0), (10, -60, 0)],
)
def test_less_than_fifty_cents_is_left_to_the_balance(total: int, balance: int, due: int) -> None:
    assert nanousd_from_cents(50) == LEAST_CHARGE_NANOUSD
    assert due_nanousd(nanousd_from_cents(total), nanousd_from_cents(balance)) == nanousd_from_cents(due)


@pytest.mark.parametrize(
    ("hundredths", "text"), [(1_000, "10%"), (1_250, "12.50%"), (5, "0.05%"), (10_000, "100%")]
)
def test_a_share_is_shown_in_percent(hundredths: int, text: str) -> None:
    assert percent_text(hundredths) == text


@pytest.mark.parametrize(
    ("paid", "total", "tax", "hundredths", "share"),
    [
        (9_000, 9_000, 0, 1_000, 900),
        (1_000_000, 1_000_000, 0, 1_000, 100_000),
        (9_900, 9_900, 900, 1_000, 900),  # without tax
        (6_600, 9_900, 900, 1_000, 600),  # two thirds of it, and of the tax
        (1_999, 1_999, 0, 1_000, 199),  # down to whole cents
        (9, 9, 0, 1_000, 0),
        (10, 10, 0, 1_000, 1),
        (5_000, 5_000, 0, 10_000, 5_000),
        (1_000, 3_000, 0, 1, 0),
        (0, 9_000, 0, 1_000, 0),
        (-1, 9_000, 0, 1_000, 0),
        (100, 0, 0, 1_000, 0),
    ],
)
def test_a_share_of_a_payment_is_without_tax_and_in_whole_cents(
    paid: int, total: int, tax: int, hundredths: int, share: int
) -> None:
    found = share_of_payment(
        nanousd_from_cents(paid),
        total_nanousd=nanousd_from_cents(total),
        tax_nanousd=nanousd_from_cents(tax),
        hundredths=hundredths,
    )
    assert found == nanousd_from_cents(share)
