"""Refusals of the second floor. Codes are API (docs/errors.md)."""

from __future__ import annotations

from teams.errors import InvalidValue, Refusal


class PriceListInvalid(InvalidValue):
    code = "price_list_invalid"
    title = "The list of prices cannot be loaded"


class PriceUnknown(Refusal):
    """Stripe bills a price that this installation did not make."""

    code = "price_unknown"
    title = "The payment service bills a price that is not among ours"
