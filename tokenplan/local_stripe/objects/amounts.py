"""Arithmetic of whole cents. It rounds to the nearest cent, halves away from zero, so that a credit and
the debit of the same thing come to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

# The least that Stripe charges, in cents; a smaller invoice goes to the customer's balance.
LEAST_CHARGE = 50


def part(amount: int, numerator: int, denominator: int) -> int:
    """`amount` × numerator / denominator, rounded."""
    size = (2 * abs(amount) * numerator + denominator) // (2 * denominator)
    return size if amount >= 0 else -size


def percent(amount: int, percentage: Decimal) -> int:
    """`percentage` has two places at most."""
    return part(amount, int(percentage * 100), 10_000)


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """`total` shared out by weight. The cents that rounding leaves over go to the largest remainders."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    found = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-(total * weights[index] % whole), index))
    for index in by_remainder[: total - sum(found)]:
        found[index] += 1
    return found


def settled(total: int, balance: int) -> tuple[int, int]:
    """How much of an invoice's total is due, and the customer's balance afterwards. A balance below zero is
    money of the customer's; one above zero is owed.
    """
    owed = total + balance
    if owed < LEAST_CHARGE:
        return 0, owed
    return owed, 0


def dollars(cents: int) -> str:
    return f"{'-' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02}"
