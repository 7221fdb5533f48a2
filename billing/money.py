"""Stripe counts cents; we count nano-dollars. Nothing here, or near it, is a float."""

from __future__ import annotations

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
