"""What one rate card changes against another, for operators to see before they load or withdraw it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from quota.models import RateCard, RateCardPrice
from quota.money import usd_text


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
        return f"{_('changed:')} {self.subject}: {self.before} -> {self.after}"


def price_changes(before: Iterable[RateCardPrice], after: Iterable[RateCardPrice]) -> list[PriceChange]:
    """First what is new, then what is gone, then what costs something else; each by model and meter."""
    old, new = _by_subject(before), _by_subject(after)
    changes = [
        PriceChange(_subject(*key), _cost(old.get(key)), _cost(new.get(key)))
        for key in sorted({**old, **new})
        if _cost(old.get(key)) != _cost(new.get(key))
    ]
    return sorted(changes, key=lambda change: (bool(change.before), bool(change.after)))


def changes_of_withdrawal(card: RateCard) -> tuple[RateCard | None, list[PriceChange]]:
    """The card that is in force in place of this one once it is withdrawn, and what then costs something
    else.
    """
    others = RateCard.objects.exclude(pk=card.pk)
    instead = others.in_force(card.effective_from)
    return instead, price_changes(card.prices.all(), instead.prices.all() if instead else ())


def _by_subject(prices: Iterable[RateCardPrice]) -> dict[tuple[str, str, int], RateCardPrice]:
    return {(price.model, price.meter, price.context_over): price for price in prices}


def _subject(model: str, meter: str, context_over: int) -> str:
    if not context_over:
        return f"{model} {meter}"
    return _("%(model)s %(meter)s, input over %(over)s tokens") % {
        "model": model,
        "meter": meter,
        "over": f"{context_over:,}",
    }


def _cost(price: RateCardPrice | None) -> str:
    if price is None:
        return ""
    return _("%(usd)s for %(count)s (%(modality)s)") % {
        "usd": usd_text(price.nanousd_per_unit),
        "count": f"{price.unit_size:,}",
        "modality": price.modality,
    }
