"""What a typical call of a model uses and costs, for people who compare (docs/decisions/0042). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from quota.pricing import INPUT_METER, Card, ModelPrices, charge

# A turn of a coding agent: most of what it sends was sent before, and is read from the cache.
TURN = {INPUT_METER: 5_000, "cache_read_tokens": 15_000, "output_tokens": 1_000}
# Of anything else one: a clip, a song, an image, a request.
QUANTITIES = {"characters": 1_000}


@dataclass(frozen=True, slots=True)
class TypicalCall:
    """`usage` by meter, and its price in nano-dollars."""

    usage: Mapping[str, int]
    nanousd: int


def typical_call(card: Card, model: ModelPrices) -> TypicalCall:
    """A language model works for an agent (`TURN`); cache reads without a price are charged as input.

    Of any other model: of each of its meters what `QUANTITIES` says, or one.
    """
    usage = TURN if INPUT_METER in model.meters else _one_of_each(model)
    return TypicalCall(usage, charge(card, model.model, usage).amount)


def _one_of_each(model: ModelPrices) -> dict[str, int]:
    return {meter: QUANTITIES.get(meter, 1) for meter in model.meters}


def share_text(part: int, whole: int) -> str:
    """`part` of `whole` in percent with two significant digits, half up: `18`, `5.8`, `0.11`, `0.0036`.

    Of nothing, any part is `100`.
    """
    if whole <= 0:
        return "100"
    share = Decimal(part * 100) / Decimal(whole)
    rounded = share.quantize(Decimal(f"1E{min(share.adjusted() - 1, 0)}"), ROUND_HALF_UP)
    return f"{rounded.normalize():f}"


def calls_in(limit_nanousd: int, nanousd: int) -> int | None:
    """How many such calls fit into a window that is empty; None if they cost nothing."""
    return limit_nanousd // nanousd if nanousd else None
