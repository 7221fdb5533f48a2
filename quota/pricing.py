"""From a rate card and a usage to a charge.

Pure and exact: rounded once, half up, per charge (docs/rules.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import lcm

from django.utils.translation import gettext as _

from quota.errors import InvalidUsage, ModelUnknown
from quota.money import MAX_NANOUSD

INPUT_METER = "input_tokens"
# Charged as input where a model has no price for them.
CACHE_METERS = ("cache_read_tokens", "cache_write_tokens")
# What a call's input-size tier is measured by: all of its input, fresh, read from the cache or written to it.
CONTEXT_METERS = (INPUT_METER, *CACHE_METERS)
MAX_QUANTITY = 10**12
# In place of a meter: the row of the card says what a call of the model holds that gives no estimate.
DEFAULT_HOLD = "default_hold"


@dataclass(frozen=True, slots=True)
class Price:
    """`unit_size` of `meter` cost `nanousd_per_unit`, where the context is over `context_over` tokens."""

    meter: str
    unit_size: int
    nanousd_per_unit: int
    context_over: int = 0


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """`default_hold`: nano-dollars held for a call without an estimate; None: every call needs one."""

    model: str
    modality: str
    prices: tuple[Price, ...]
    default_hold: int | None = None

    @property
    def meters(self) -> list[str]:
        return sorted({price.meter for price in self.prices})

    def of(self, meter: str, context: int) -> Price | None:
        """The price of the highest tier that the context is over; None for a meter that has no price.

        Cache tokens without a price of their own have that of input tokens.
        """
        tiers = [
            p for p in self.prices if p.meter == meter and (context > p.context_over or p.context_over == 0)
        ]
        if tiers:
            return max(tiers, key=lambda p: p.context_over)
        as_input = self.of(INPUT_METER, context) if meter in CACHE_METERS else None
        return replace(as_input, meter=meter) if as_input else None

    def used(self, usage: Mapping[str, int]) -> dict[str, Price | None]:
        """What each meter of a call's usage costs, in the order of their names; None: it has no price."""
        context = sum(usage.get(meter, 0) for meter in CONTEXT_METERS)
        return {meter: self.of(meter, context) for meter in sorted(usage)}


@dataclass(frozen=True, slots=True)
class Card:
    """The price list in force from `effective_from`. `aliases` are other names of models."""

    id: int
    effective_from: datetime
    models: Mapping[str, ModelPrices]
    aliases: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> ModelPrices | None:
        """The model of this name or alias, if the card has it."""
        return self.models.get(self.aliases.get(name, name))

    def model(self, name: str) -> ModelPrices:
        """The model of this name or alias. Raises ModelUnknown."""
        found = self.find(name)
        if found is None:
            raise not_on_the_card(name)
        return found


@dataclass(frozen=True, slots=True)
class Charge:
    """The price of a call of `model`, by the rate card of this id.

    `unpriced` are the meters that something was used of and that have no price: they are not in `amount`.
    """

    amount: int
    card_id: int
    model: str
    modality: str
    unpriced: tuple[str, ...] = ()


def charge(card: Card | None, model: str, usage: Mapping[str, int]) -> Charge:
    """What `usage` (meter to quantity) of `model`, or of its alias, costs, as far as its meters have prices.

    Raises ModelUnknown for a model that is not on the card, InvalidUsage for a quantity outside 0..10^12, and
    for a charge above one million dollars.
    """
    if card is None:
        raise not_on_the_card(model)
    prices_of_model = card.model(model)
    if not usage:
        raise InvalidUsage(_("Name at least one meter with its quantity"))
    for meter, quantity in usage.items():
        if not 0 <= quantity <= MAX_QUANTITY:
            raise InvalidUsage(
                _("A quantity lies between 0 and %(most)s") % {"most": MAX_QUANTITY},
                pointer=f"/{meter}",
            )
    found = prices_of_model.used(usage)
    prices = [price for price in found.values() if price]
    denominator = lcm(*(price.unit_size for price in prices))
    numerator = sum(
        usage[price.meter] * price.nanousd_per_unit * (denominator // price.unit_size) for price in prices
    )
    amount = (2 * numerator + denominator) // (2 * denominator)
    if amount > MAX_NANOUSD:
        raise InvalidUsage(_("One call cannot cost more than $1,000,000"))
    unpriced = tuple(meter for meter, price in found.items() if price is None and usage[meter])
    return Charge(amount, card.id, prices_of_model.model, prices_of_model.modality, unpriced)


def not_on_the_card(model: str) -> ModelUnknown:
    return ModelUnknown(_("The model %(model)r is not on the rate card") % {"model": model}, pointer="/model")


def estimated(card: Card, model: str, estimate: Mapping[str, int] | None) -> int:
    """What a call that uses this much would cost. It is not made yet, so all of it needs a price. Without an
    estimate it is the model's default hold.

    Raises as `charge`, and InvalidUsage for a meter without a price, or where there is neither an estimate
    nor a default hold.
    """
    if estimate is None:
        default = card.model(model).default_hold
        if default is None:
            raise InvalidUsage(_("%(model)s has no default hold: give an estimate") % {"model": model})
        return default
    price = charge(card, model, estimate)
    if price.unpriced:
        known = ", ".join(card.model(model).meters)
        detail = _("%(model)s has no meter %(meter)r; it has %(known)s")
        values = {"model": model, "meter": price.unpriced[0], "known": known}
        raise InvalidUsage(detail % values, pointer=f"/{price.unpriced[0]}")
    return price.amount
