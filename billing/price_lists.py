"""What seats cost, as a list says it: a month and a year, for each plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from billing.errors import PriceListInvalid
from billing.money import cents_from_nanousd
from quota.money import nanousd_from_usd, usd_text

# Interval to nano-dollars.
Amounts = Mapping[str, int]
INTERVALS = ("month", "year")
EXAMPLE = '{"month": "50.00", "year": "500.00"}'


def price_lines(amounts: Amounts) -> dict[str, str]:
    """What a seat costs, each price under its label, in the active language."""
    labels = {"month": _("A seat a month"), "year": _("A seat a year")}
    return {label: usd_text(amounts[interval]) for interval, label in labels.items() if interval in amounts}


def is_complete(amounts: Amounts) -> bool:
    """A price of at least a cent for each interval, in whole cents."""
    return set(amounts) == set(INTERVALS) and min(amounts.values()) > 0


def parse_prices(text: str) -> dict[str, Amounts]:
    """Plan code to its prices, from a JSON list (billing/data/prices.json). Raises PriceListInvalid."""
    try:
        prices = {str(code): _amounts(code, row) for code, row in _rows(text).items()}
    except (TypeError, ValueError) as error:
        raise PriceListInvalid(
            _("The list of prices cannot be read: %(reason)s") % {"reason": error}
        ) from None
    for code, amounts in prices.items():
        if not is_complete(amounts):
            raise PriceListInvalid(
                _("%(code)s needs a price above 0 for a month and for a year") % {"code": code}
            )
    return prices


def _rows(text: str) -> dict[str, Any]:
    """Raises ValueError or TypeError with a reason, as `_amounts` does."""
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise ValueError(_("it is not JSON (%(reason)s)") % {"reason": error}) from None
    if not isinstance(rows, dict):
        raise TypeError(
            _("it is not a JSON object with the prices of each plan, as %(example)s")
            % {"example": f'{{"max": {EXAMPLE}}}'}
        )
    return rows


def _amounts(code: str, row: Any) -> Amounts:
    if not isinstance(row, dict):
        raise TypeError(
            _("“%(code)s” has no prices; they are written as %(example)s")
            % {"code": code, "example": EXAMPLE}
        )
    if not all(isinstance(usd, str) for usd in row.values()):
        raise TypeError(_("a price is a text, such as %(example)s") % {"example": '"50.00"'})
    amounts = {str(interval): nanousd_from_usd(usd) for interval, usd in row.items()}
    for amount in amounts.values():
        cents_from_nanousd(amount)
    return amounts
