"""A price list as a file says it: the prices of each model, what a call of it holds unless it says more, and
other names of models.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from quota.errors import RateCardInvalid
from quota.models import RateCardAlias, RateCardPrice
from quota.money import MAX_NANOUSD, nanousd_from_usd
from quota.pricing import DEFAULT_HOLD

RATE_CARD_COLUMNS = ["model", "modality", "meter", "unit_size", "usd_per_unit", "context_over", "note"]
ALIAS_COLUMN = "alias_of"  # a list without aliases may lack it


@dataclass(frozen=True, slots=True)
class RateCardList:
    """The rows of a card that is not saved."""

    prices: tuple[RateCardPrice, ...]
    aliases: tuple[RateCardAlias, ...]


def read_rate_card_list(text: str) -> RateCardList:
    """The list of a CSV file. Raises RateCardInvalid, naming the line, for one that cannot be used.

    A row whose `alias_of` names a model gives that model another name, and nothing else of the row counts. A
    row with the meter `default_hold` says what a call of the model holds that gives no estimate.
    """
    reader = csv.DictReader(io.StringIO(text))
    missing = [column for column in RATE_CARD_COLUMNS if column not in (reader.fieldnames or [])]
    if missing:
        raise RateCardInvalid(
            _("The first line must name the columns %(columns)s.") % {"columns": ", ".join(RATE_CARD_COLUMNS)}
        )
    prices: list[RateCardPrice] = []
    aliases: dict[str, str] = {}
    for row in reader:
        if (row.get(ALIAS_COLUMN) or "").strip():
            _read_alias(row, aliases, reader.line_num)
        else:
            prices.append(_price(row, reader.line_num))
            _check_among(prices, reader.line_num)
    _check_models(prices, aliases)
    return RateCardList(
        tuple(prices), tuple(RateCardAlias(alias=alias, model=model) for alias, model in aliases.items())
    )


def _read_alias(row: Mapping[str, str], aliases: dict[str, str], line: int) -> None:
    alias, model = (row["model"] or "").strip(), row[ALIAS_COLUMN].strip()
    if not alias or aliases.setdefault(alias, model) != model:
        refused = (
            _("Line %(line)s: %(alias)s is an alias of two models.")
            if alias
            else _("Line %(line)s: an alias needs a name.")
        )
        raise RateCardInvalid(refused % {"line": line, "alias": alias})


def _check_among(prices: list[RateCardPrice], line: int) -> None:
    """Whether the last one can stand beside those before it."""
    *before, price = prices
    tier = (price.model, price.meter, price.context_over)
    if any((other.model, other.meter, other.context_over) == tier for other in before):
        raise RateCardInvalid(
            _("Line %(line)s: %(model)s %(meter)s is priced twice.")
            % {"line": line, "model": price.model, "meter": price.meter}
        )
    if any(other.model == price.model and other.modality != price.modality for other in before):
        raise RateCardInvalid(
            _("Line %(line)s: %(model)s has two modalities.") % {"line": line, "model": price.model}
        )


def _check_models(prices: list[RateCardPrice], aliases: Mapping[str, str]) -> None:
    priced = {price.model for price in prices if price.meter != DEFAULT_HOLD}
    if not priced:
        raise RateCardInvalid(_("The list has no prices."))
    tiers = {(price.model, price.meter, price.context_over) for price in prices}
    for model, meter, _tier in tiers:
        if (model, meter, 0) not in tiers:
            raise RateCardInvalid(
                _("%(model)s %(meter)s has a price for large contexts and none for small ones.")
                % {"model": model, "meter": meter}
            )
        if model not in priced:
            raise RateCardInvalid(_("%(model)s has a default hold and no price.") % {"model": model})
    for alias, model in aliases.items():
        if model not in priced:
            raise RateCardInvalid(
                _("%(alias)s is an alias of %(model)s, which has no price.")
                % {"alias": alias, "model": model}
            )
        if alias in priced:
            raise RateCardInvalid(_("%(alias)s is an alias and has prices of its own.") % {"alias": alias})


def _price(row: Mapping[str, str], line: int) -> RateCardPrice:
    """The price of one line, not saved. Raises RateCardInvalid, naming the line."""
    said = {name: (row[name] or "").strip() for name in RATE_CARD_COLUMNS}
    try:
        nanousd = nanousd_from_usd(said["usd_per_unit"])
    except ValueError as error:
        raise RateCardInvalid(_("Line %(line)s: %(error)s") % {"line": line, "error": error}) from None
    price = RateCardPrice(
        model=said["model"],
        modality=said["modality"],
        meter=said["meter"],
        unit_size=_whole(said, "unit_size", line),
        nanousd_per_unit=nanousd,
        context_over=_whole(said, "context_over", line) if said["context_over"] else 0,
        note=said["note"],
    )
    if not (price.model and price.modality and price.meter):
        raise RateCardInvalid(_("Line %(line)s: model, modality and meter are needed.") % {"line": line})
    if price.unit_size < 1 or price.nanousd_per_unit < 0 or price.context_over < 0:
        raise RateCardInvalid(
            _("Line %(line)s: a unit is at least 1 and a price is not negative.") % {"line": line}
        )
    if price.meter == DEFAULT_HOLD and not (
        price.unit_size == 1 and price.context_over == 0 and 0 < price.nanousd_per_unit <= MAX_NANOUSD
    ):
        raise RateCardInvalid(
            _("Line %(line)s: a default hold is one amount above 0, for a unit of 1.") % {"line": line}
        )
    return price


def _whole(said: Mapping[str, str], name: str, line: int) -> int:
    try:
        return int(said[name])
    except ValueError:
        raise RateCardInvalid(
            _("Line %(line)s: %(column)s is a whole number, not “%(text)s”.")
            % {"line": line, "column": name, "text": said[name]}
        ) from None
