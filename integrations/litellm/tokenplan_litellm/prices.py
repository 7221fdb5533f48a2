"""The rate card, as the console answers it, and what a call costs by it. Pure, in whole nano-dollars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

INPUT = "input_tokens"
CACHED = ("cache_read_tokens", "cache_write_tokens")
CONTEXT = (INPUT, *CACHED)


@dataclass(frozen=True, slots=True)
class Price:
    """`unit_size` of a meter cost `nanousd_per_unit`, where the context is over `context_over` tokens."""

    meter: str
    unit_size: int
    nanousd_per_unit: int
    context_over: int


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the card. `default_hold`: what a call without an estimate holds; None: it needs one."""

    name: str
    prices: tuple[Price, ...]
    default_hold: int | None

    def price(self, meter: str, context: int) -> Price | None:
        """The price of the highest tier that the context is over. Cached tokens without a price of their own
        cost what input costs.
        """
        tiers = [
            price
            for price in self.prices
            if price.meter == meter and (price.context_over == 0 or context > price.context_over)
        ]
        if tiers:
            return max(tiers, key=lambda price: price.context_over)
        return self.price(INPUT, context) if meter in CACHED else None

    def cost(self, usage: Mapping[str, int]) -> int:
        """What this usage costs, rounded once, half up. Meters without a price cost nothing."""
        context = sum(usage.get(meter, 0) for meter in CONTEXT)
        priced = [(quantity, self.price(meter, context)) for meter, quantity in usage.items()]
        return _sum((quantity, price) for quantity, price in priced if price)

    def most(self, estimate: Mapping[str, int]) -> int | None:
        """The most that a call within this estimate costs, however its input is cached; None where a meter
        has no price, so that nothing can be said.
        """
        context = sum(estimate.get(meter, 0) for meter in CONTEXT)
        dearest = []
        for meter, quantity in estimate.items():
            meters = CONTEXT if meter == INPUT else (meter,)
            found = [price for name in meters if (price := self.price(name, context))]
            if not found:
                return None
            dearest.append(
                (quantity, max(found, key=lambda price: Fraction(price.nanousd_per_unit, price.unit_size)))
            )
        return _sum(dearest)


@dataclass(frozen=True, slots=True)
class Card:
    """The models by their names and by their aliases."""

    models: Mapping[str, Model]

    def model(self, name: str) -> Model | None:
        return self.models.get(name)


def _sum(priced: Iterable[tuple[int, Price]]) -> int:
    rows = list(priced)
    denominator = lcm(*(price.unit_size for _quantity, price in rows))
    numerator = sum(
        quantity * price.nanousd_per_unit * (denominator // price.unit_size) for quantity, price in rows
    )
    return (2 * numerator + denominator) // (2 * denominator)


def card_from(body: Mapping[str, Any]) -> Card:
    """Reads an answer of `GET gateway/rate-card`. Raises KeyError or TypeError for anything else."""
    models = {}
    for row in body["models"]:
        prices = tuple(
            Price(row_["meter"], row_["unit_size"], row_["nanousd_per_unit"], row_["context_over"])
            for row_ in row["prices"]
        )
        model = Model(row["model"], prices, row.get("default_hold_nanousd"))
        for name in (row["model"], *row["aliases"]):
            models[name] = model
    return Card(models)
