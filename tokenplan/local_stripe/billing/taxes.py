"""Stripe Tax, as far as it takes to test with it: one rate everywhere, and a customer whose location must be
known before an invoice can be finalized.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tokenplan.local_stripe.objects import amounts
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store

# Percent, and the id that Stripe would have for such a rate.
RATE, RATE_ID = 10, "txr_1LocalTaxOf10Percent"
UNKNOWN_LOCATION = (
    "The customer's location isn't recognized. Set a valid customer address in order to automatically"
    " calculate tax."
)
CODE = "customer_tax_location_invalid"


class UnknownLocation(ApiError):
    """No tax can be calculated for this customer. What was stored before it stays stored."""

    def __init__(self, *, kept: bool = False) -> None:
        super().__init__(UNKNOWN_LOCATION, code=CODE, kept=kept)


def is_known(address: Mapping[str, Any] | None) -> bool:
    """Whether this is enough to calculate tax: a country; in the US with a postal code of five digits, in
    Canada with a province or a postal code.
    """
    where = address or {}
    country = where.get("country") or ""
    if country == "US":
        return bool(re.fullmatch(r"[0-9]{5}(-[0-9]{4})?", where.get("postal_code") or ""))
    if country == "CA":
        return bool(where.get("state") or where.get("postal_code"))
    return bool(re.fullmatch("[A-Z]{2}", country))


def automatic_tax(enabled: bool, address: Mapping[str, Any] | None) -> Object:
    """What an invoice or a Checkout Session says about tax."""
    if not enabled:
        return {"enabled": False, "liability": None, "provider": None, "status": None}
    status = "complete" if is_known(address) else "requires_location_inputs"
    return {"enabled": True, "liability": {"type": "self"}, "provider": "stripe", "status": status}


def refuse_unknown_location(store: Store, customer_id: str, *, enabled: bool) -> None:
    """Raises UnknownLocation where tax is wanted and cannot be calculated."""
    if enabled and not is_known(store.get("customer", customer_id)["address"]):
        raise UnknownLocation


def tax_on(amount: int, price: Object, tax: Mapping[str, Any]) -> Object | None:
    """The tax on so many cents, after discounts, of this price. None where none is calculated; `tax` is what
    `automatic_tax` says.
    """
    if tax["status"] != "complete":
        return None
    inclusive = price["tax_behavior"] == "inclusive"
    return {
        "amount": amounts.part(amount, RATE, 100 + RATE if inclusive else 100),
        "tax_behavior": "inclusive" if inclusive else "exclusive",
        "tax_rate_details": {"tax_rate": RATE_ID},
        "taxability_reason": "standard_rated",
        "taxable_amount": amount,
        "type": "tax_rate_details",
    }


def added(taxes: Iterable[Object]) -> int:
    """What these taxes add to an amount, in cents; inclusive ones are in it already."""
    return sum(row["amount"] for row in taxes if row["tax_behavior"] == "exclusive")


def total_taxes(taxes: Iterable[Object]) -> list[Object]:
    """All taxes of an invoice: one for each behavior."""
    found: dict[str, Object] = {}
    for row in taxes:
        sums = found.setdefault(row["tax_behavior"], {**row, "amount": 0, "taxable_amount": 0})
        sums["amount"] += row["amount"]
        sums["taxable_amount"] += row["taxable_amount"]
    return list(found.values())
