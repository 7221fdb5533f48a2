"""What calls cost, worked out anew: the check on the server's own arithmetic shares no code with it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

NANOUSD_PER_USD = 10**9
METERS = ("input_tokens", "output_tokens")  # what a trace records of a call


class PricesInvalid(Exception):
    """The price list cannot be used, or lacks what is asked of it."""


class PriceList:
    """One model's prices in a rate card file. Exact: fractions until the one rounding, half up, per call."""

    def __init__(self, file: Path, model: str) -> None:
        """Raises PricesInvalid when the file cannot be read or does not price the model's tokens."""
        self.tiers: dict[str, list[tuple[int, Fraction]]] = {}
        try:
            with file.open(newline="", encoding="utf-8-sig") as lines:
                for row in csv.DictReader(lines):
                    if row["model"] == model:
                        usd = Fraction(Decimal(row["usd_per_unit"]))
                        price = usd * NANOUSD_PER_USD / int(row["unit_size"])
                        self.tiers.setdefault(row["meter"], []).append((int(row["context_over"] or 0), price))
        except (OSError, KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise PricesInvalid(f"The rate card {file} cannot be read: {error!r}") from error
        lacking = [meter for meter in METERS if meter not in self.tiers]
        if lacking:
            raise PricesInvalid(
                f"{file} has no {lacking[0]} of {model}; name the rate card that is in force by --rate-card"
            )

    def price(self, usage: Mapping[str, int]) -> int:
        """Nano-dollars of one call, whose usage is METERS."""
        context = usage["input_tokens"]
        total = Fraction(0)
        for meter, quantity in usage.items():
            tiers = [tier for tier in self.tiers[meter] if tier[0] == 0 or context > tier[0]]
            total += quantity * max(tiers)[1]
        return half_up(total)


def price_by_receipt(receipt: Mapping[str, Any]) -> int:
    """Nano-dollars of a receipt's usage at the prices the receipt itself names."""
    usage = receipt["usage"]
    return half_up(
        sum(
            (
                Fraction(usage[price["meter"]] * price["nanousd_per_unit"], price["unit_size"])
                for price in receipt["prices"]
            ),
            Fraction(0),
        )
    )


def half_up(amount: Fraction) -> int:
    return floor(amount + Fraction(1, 2))
