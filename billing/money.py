"""Stripe counts cents; we count nano-dollars. Nothing here, or near it, is a float."""

from __future__ import annotations

from dataclasses import dataclass

NANOUSD_PER_CENT = 10_000_000
# Credits are sold in packs of 5,000, at $5 (docs/rules.md, Credits).
CREDITS_PER_PACK = 5_000
NANOUSD_PER_PACK = 5_000_000_000
# The least that Stripe charges a card; less is left to the customer's balance.
LEAST_CHARGE_NANOUSD = 50 * NANOUSD_PER_CENT
# The name of a pack's price, here and at Stripe.
PACK_KEY = f"credits_{CREDITS_PER_PACK}"
# A million Credits in one purchase, $1,000; more is sold by an operator.
MAX_PACKS = 200
NANOUSD_PER_DOLLAR = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pack:
    """How what goes into an account is sold: `nanousd` at a time, for as much money, from `least` to `most`
    packs at once. `key` is the name of a pack's price, here and at Stripe.
    """

    key: str
    nanousd: int
    least: int
    most: int

    def whole(self, nanousd: int) -> int:
        """The least amount that is sold and is at least this much; nano-dollars."""
        return max(-(-nanousd // self.nanousd), self.least) * self.nanousd

    @property
    def most_nanousd(self) -> int:
        return self.most * self.nanousd

    @property
    def least_nanousd(self) -> int:
        return self.least * self.nanousd


# By account: Credits in packs of 5,000; the API balance in whole dollars, from $5 to $1,000.
PACKS = {
    "credits": Pack(PACK_KEY, NANOUSD_PER_PACK, 1, MAX_PACKS),
    "balance": Pack("api_balance_usd", NANOUSD_PER_DOLLAR, 5, 1_000),
}


def nanousd_from_cents(cents: int) -> int:
    """Exact, also below zero."""
    return cents * NANOUSD_PER_CENT


def due_nanousd(total: int, balance: int) -> int:
    """What is charged for an invoice, where `balance` is the customer's before it."""
    return total + balance if total + balance >= LEAST_CHARGE_NANOUSD else 0


def cents_from_nanousd(nanousd: int) -> int:
    """Raises ValueError for an amount that is not whole cents."""
    cents, rest = divmod(nanousd, NANOUSD_PER_CENT)
    if rest:
        raise ValueError(f"{nanousd} nano-dollars are not whole cents")
    return cents


def percent_text(hundredths: int) -> str:
    """`10%` or `12.50%`, of hundredths of a percent."""
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}%".replace(".00%", "%")


def share_of_payment(nanousd: int, *, total_nanousd: int, tax_nanousd: int, hundredths: int) -> int:
    """So many hundredths of a percent of a payment of an invoice with this total, without its part of the
    tax; rounded down to whole cents. Nano-dollars.
    """
    if nanousd <= 0 or total_nanousd <= 0:
        return 0
    share = nanousd * (total_nanousd - tax_nanousd) * hundredths // (total_nanousd * 10_000)
    return share // NANOUSD_PER_CENT * NANOUSD_PER_CENT
