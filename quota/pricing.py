"""From a rate card and a usage to a charge.

Pure and exact: rounded once, half up, per charge (docs/rules.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import lcm

from django.utils.translation import gettext as _

from quota.errors import InvalidUsage, ModelUnknown
from quota.money import MAX_NANOUSD

# What a call's input-size tier is measured by: its input, cache hits included.
CONTEXT_METERS = ("input_tokens", "cache_read_tokens")
MAX_QUANTITY = 10**12


@dataclass(frozen=True, slots=True)
class Price:
    """`unit_size` of `meter` cost `nanousd_per_unit`, where the context is over `context_over` tokens."""

    meter: str
    unit_size: int
    nanousd_per_unit: int
    context_over: int = 0


@dataclass(frozen=True, slots=True)
class ModelPrices:
    model: str
    modality: str
    prices: tuple[Price, ...]

    def of(self, meter: str, context: int) -> Price:
        """The price of the highest tier that the context is over.

        Raises InvalidUsage for a meter this model lacks.
        """
        tiers = [
            p for p in self.prices if p.meter == meter and (context > p.context_over or p.context_over == 0)
        ]
        if not tiers:
            known = ", ".join(sorted({p.meter for p in self.prices}))
            raise InvalidUsage(
                _("%(model)s has no meter %(meter)r; it has %(known)s")
                % {"model": self.model, "meter": meter, "known": known},
                pointer=f"/{meter}",
            )
        return max(tiers, key=lambda p: p.context_over)


@dataclass(frozen=True, slots=True)
class Card:
    """The price list in force from `effective_from`."""

    effective_from: datetime
    models: Mapping[str, ModelPrices]


@dataclass(frozen=True, slots=True)
class Charge:
    """The price of a call, with the prices it came from, one a meter."""

    amount: int
    modality: str
    prices: tuple[Price, ...]


def charge(card: Card | None, model: str, usage: Mapping[str, int]) -> Charge:
    """What `usage` (meter to quantity) of `model` costs.

    Raises ModelUnknown for a model that is not on the card, InvalidUsage for a meter the model does not have,
    for a quantity outside 0..10^12, and for a charge above one million dollars.
    """
    prices_of_model = card.models.get(model) if card else None
    if prices_of_model is None:
        raise ModelUnknown(
            _("The model %(model)r is not on the rate card") % {"model": model}, pointer="/model"
        )
    if not usage:
        raise InvalidUsage(_("Name at least one meter with its quantity"))
    for meter, quantity in usage.items():
        if not 0 <= quantity <= MAX_QUANTITY:
            raise InvalidUsage(
                _("A quantity lies between 0 and %(most)s") % {"most": MAX_QUANTITY},
                pointer=f"/{meter}",
            )
    context = sum(usage.get(meter, 0) for meter in CONTEXT_METERS)
    prices = tuple(prices_of_model.of(meter, context) for meter in usage)
    denominator = lcm(*(price.unit_size for price in prices))
    numerator = sum(
        quantity * price.nanousd_per_unit * (denominator // price.unit_size)
        for quantity, price in zip(usage.values(), prices, strict=True)
    )
    amount = (2 * numerator + denominator) // (2 * denominator)
    if amount > MAX_NANOUSD:
        raise InvalidUsage(_("One call cannot cost more than $1,000,000"))
    return Charge(amount, prices_of_model.modality, prices)
