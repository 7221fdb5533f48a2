"""The models in force, for everyone; and what one rate card changes against another, for operators to see
before they load or withdraw it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from quota.hot_path.catalog import rate_card
from quota.models import RateCard, RateCardPrice
from quota.money import usd_text
from quota.pricing import Card, ModelPrices
from quota.rate_card_lists import RateCardList


@dataclass(frozen=True, slots=True)
class ListedModels:
    """A rate card's models in its order, each with its aliases. Without a card: None, None and none."""

    card_id: int | None
    card: Card | None
    models: tuple[tuple[ModelPrices, list[str]], ...]


def models_in_force(at: datetime) -> ListedModels:
    """What calls of this moment are priced by."""
    row = RateCard.objects.in_force(at)
    if row is None:
        return ListedModels(None, None, ())
    card = rate_card(row.pk)
    aliases: dict[str, list[str]] = {}
    for alias, model in card.aliases.items():
        aliases.setdefault(model, []).append(alias)
    listed = tuple((model, aliases.get(model.model, [])) for model in card.models.values())
    return ListedModels(row.pk, card, listed)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A price that is new, gone or changed: empty is what was, or is, without a price."""

    subject: str
    before: str
    after: str

    def __str__(self) -> str:
        if not self.before:
            return _("new:     %(subject)s: %(price)s") % {"subject": self.subject, "price": self.after}
        if not self.after:
            return _("gone:    %(subject)s: %(price)s") % {"subject": self.subject, "price": self.before}
        return _("changed:") + f" {self.subject}: {self.before} -> {self.after}"


def rows_of(card: RateCard | None) -> RateCardList:
    """The rows of a card that is loaded; none of None."""
    return RateCardList(tuple(card.prices.all()), tuple(card.aliases.all())) if card else RateCardList((), ())


def card_changes(before: RateCardList, after: RateCardList) -> list[PriceChange]:
    """First what is new, then what is gone, then what costs something else; each by model and meter. A
    default hold is a price here, and an alias costs its model.
    """
    old, new = _by_subject(before), _by_subject(after)
    changes = [
        PriceChange(subject, old.get(subject, ""), new.get(subject, ""))
        for subject in sorted({**old, **new})
        if old.get(subject) != new.get(subject)
    ]
    return sorted(changes, key=lambda change: (bool(change.before), bool(change.after)))


def changes_of_withdrawal(card: RateCard) -> tuple[RateCard | None, list[PriceChange]]:
    """The card that is in force in place of this one once it is withdrawn, and what then costs something
    else.
    """
    others = RateCard.objects.exclude(pk=card.pk)
    instead = others.in_force(card.effective_from)
    return instead, card_changes(rows_of(card), rows_of(instead))


def _by_subject(rows: RateCardList) -> dict[str, str]:
    """What each row is about, and what it says of it."""
    costs = {_subject(price.model, price.meter, price.context_over): _cost(price) for price in rows.prices}
    return costs | {_("alias %(alias)s") % {"alias": row.alias}: row.model for row in rows.aliases}


def _subject(model: str, meter: str, context_over: int) -> str:
    if not context_over:
        return f"{model} {meter}"
    return _("%(model)s %(meter)s, input over %(over)s tokens") % {
        "model": model,
        "meter": meter,
        "over": f"{context_over:,}",
    }


def _cost(price: RateCardPrice) -> str:
    return _("%(usd)s for %(count)s (%(modality)s)") % {
        "usd": usd_text(price.nanousd_per_unit),
        "count": f"{price.unit_size:,}",
        "modality": price.modality,
    }
