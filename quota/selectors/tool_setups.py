"""What is filled into the guides: addresses of this installation, and a model that can be called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from quota.money import usd_text
from quota.pricing import ModelPrices
from quota.selectors.rate_cards import models_in_force
from quota.tool_guides.parts import NO_KEY, Setup

LANGUAGE = "language"
MILLION = 1_000_000
# Of these signs alone are names that can stand in a command or a file as they are.
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*", re.ASCII)
# In place of a model where there is no rate card.
NO_MODEL = "MODEL"


@dataclass(frozen=True, slots=True)
class ToolSetup:
    """`models` are the names to choose from, in the rate card's order."""

    setup: Setup
    models: tuple[str, ...]


def tool_setup(*, model: str, key: str = NO_KEY, at: datetime) -> ToolSetup:
    """With this model, or with the first language model of the rate card where it has none of that name."""
    listed = [row for row, _aliases in models_in_force(at).models if _can_stand_in_a_guide(row)]
    found = next((row for row in listed if row.model == model), listed[0] if listed else None)
    setup = Setup(
        anthropic_url=settings.GATEWAY_ANTHROPIC_URL,
        openai_url=settings.GATEWAY_OPENAI_URL,
        console_url=settings.BASE_URL,
        model=found.model if found else NO_MODEL,
        key=key,
        costs=_costs(found) if found else (),
    )
    return ToolSetup(setup, tuple(row.model for row in listed))


def _can_stand_in_a_guide(row: ModelPrices) -> bool:
    return row.modality == LANGUAGE and PLAIN_NAME.fullmatch(row.model) is not None


def _costs(row: ModelPrices) -> tuple[tuple[str, str], ...]:
    """Dollars a million, by the prices of small calls; one that is not exact so is left out."""
    found = []
    for price in row.prices:
        nanousd, rest = divmod(price.nanousd_per_unit * MILLION, price.unit_size)
        if not price.context_over and not rest:
            found.append((price.meter, usd_text(nanousd).lstrip("$").replace(",", "")))
    return tuple(found)
