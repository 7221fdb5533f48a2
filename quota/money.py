"""Money is whole nano-dollars (10^-9 USD) in an int that fits 64 bits.

Nothing here, or near it, is a float.
"""

from __future__ import annotations

import re
from decimal import Decimal

NANOUSD_PER_USD = 1_000_000_000
NANOUSD_PER_CREDIT = 1_000_000  # 1 Credit = $0.001 (docs/rules.md).

# No single charge or balance comes near this; sums of them stay far inside of 64 bits.
MAX_NANOUSD = 10**15


_PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,30})?", re.ASCII)


def nanousd_from_usd(text: str) -> int:
    """Whole nano-dollars of a plain decimal dollar amount. Raises ValueError when it is not exact."""
    return _scaled(text, 9, "a dollar amount in whole nano-dollars")


def nanousd_from_credits(text: str) -> int:
    """Whole nano-dollars of a plain decimal number of Credits. Raises ValueError when it is not exact."""
    return _scaled(text, 6, "a number of Credits with at most 6 decimals")


def _scaled(text: str, places: int, what: str) -> int:
    text = text.strip()
    if not _PLAIN_DECIMAL.fullmatch(text):
        raise ValueError(f"{text!r} is not {what}")
    whole, _, decimals = text.partition(".")
    if decimals[places:].strip("0"):
        raise ValueError(f"{text!r} is not {what}")
    return int(whole + decimals[:places].ljust(places, "0"))


def credits_text(nanousd: int) -> str:
    """Credits, exact, as the API gives them: three decimals, up to six where the amount needs them."""
    sign = "-" if nanousd < 0 else ""
    whole, rest = divmod(abs(nanousd), NANOUSD_PER_CREDIT)
    decimals = f"{rest:06d}"
    while len(decimals) > 3 and decimals.endswith("0"):
        decimals = decimals[:-1]
    return f"{sign}{whole}.{decimals}"


def credits_words(nanousd: int) -> str:
    """Credits, exact, as people read them: `12,000`, `0.5`, `-3.25`."""
    whole, _, decimals = credits_text(nanousd).partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    decimals = decimals.rstrip("0")
    return f"{sign}{int(digits):,}{'.' if decimals else ''}{decimals}"


def usd_text(nanousd: int) -> str:
    """Dollars, exact, with at least two decimals: `$0.0035`, `$120.00`."""
    sign = "-" if nanousd < 0 else ""
    whole, rest = divmod(abs(nanousd), NANOUSD_PER_USD)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}${whole:,}.{decimals}"


def percent(part: int, whole: int) -> Decimal:
    """`part` of `whole` in percent with two decimals, rounded down, so that 100 means all of it.

    All of nothing is 100.
    """
    if whole <= 0:
        return Decimal("100.00")
    hundredths = abs(part) * 10_000 // whole
    return Decimal(hundredths if part >= 0 else -hundredths).scaleb(-2)
