"""What seats cost, as a list says it: a month and a year, for each plan."""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.utils.translation import gettext as _

from billing.errors import PriceListInvalid
from billing.money import cents_from_nanousd
from quota.money import nanousd_from_usd, usd_text

# Interval to nano-dollars.
Amounts = Mapping[str, int]
INTERVALS = ("month", "year")


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
        rows = json.loads(text)
        prices: dict[str, Amounts] = {
            str(code): {str(interval): nanousd_from_usd(usd) for interval, usd in amounts.items()}
            for code, amounts in rows.items()
        }
        for amounts in prices.values():
            for amount in amounts.values():
                cents_from_nanousd(amount)
    except (AttributeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise PriceListInvalid(
            _("The list of prices cannot be read: %(reason)s") % {"reason": reason}
        ) from None
    for code, amounts in prices.items():
        if not is_complete(amounts):
            raise PriceListInvalid(
                _("%(code)s needs a price above 0 for a month and for a year") % {"code": code}
            )
    return prices
