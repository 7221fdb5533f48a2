"""Rate cards: price lists of models, each in force from a moment on, loaded whole and never edited. One
that is not in force yet may be withdrawn.
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from quota.errors import RateCardInForce, RateCardInvalid, RateCardWithdrawn
from quota.models import RateCard, RateCardPrice
from quota.money import nanousd_from_usd
from teams.models import User
from teams.services.audit import Details, record
from tokenplan.kit.transactions import one_transaction

RATE_CARD_COLUMNS = ["model", "modality", "meter", "unit_size", "usd_per_unit", "context_over", "note"]


@dataclass(frozen=True, slots=True)
class ProposedCard:
    """What loading a list would do. `before` is in force at its moment now, `following` takes over later.

    Where the list is the one of `before`, it `is_loaded` and nothing is to be done.
    """

    effective_from: datetime
    source_sha256: str
    prices: tuple[RateCardPrice, ...]
    before: RateCard | None
    following: RateCard | None

    @property
    def is_loaded(self) -> bool:
        return self.before is not None and self.before.source_sha256 == self.source_sha256


def proposed_card(*, text: str, effective_from: datetime, at: datetime) -> ProposedCard:
    """As `load_rate_card` would read the list; nothing is written. Raises RateCardInvalid as it does."""
    cards = RateCard.objects.live()
    proposed = ProposedCard(
        effective_from=effective_from,
        source_sha256=hashlib.sha256(text.encode()).hexdigest(),
        prices=tuple(_parse(text)),
        before=cards.in_force(effective_from),
        following=cards.filter(effective_from__gt=effective_from).order_by("effective_from").first(),
    )
    if proposed.is_loaded:
        return proposed
    if proposed.before and proposed.before.effective_from == effective_from:
        raise RateCardInvalid(
            _("Another rate card is in force from %(moment)s.") % {"moment": effective_from.isoformat()}
        )
    if effective_from < at and cards.exists():
        detail = _("A later rate card cannot be in force from %(moment)s, which is in the past")
        raise RateCardInvalid(detail % {"moment": effective_from.isoformat()})
    return proposed


@one_transaction()
def load_rate_card(
    *, text: str, effective_from: datetime, at: datetime, by: User | None
) -> tuple[RateCard, bool]:
    """Load a whole price list (CSV, columns RATE_CARD_COLUMNS) that is in force from `effective_from`.

    Returns the card and whether it is new: the same list as the one in force then is not loaded again. Only
    the first card may begin in the past: a later one would price anew what was charged by another. Raises
    RateCardInvalid, naming the line, for a list that cannot be used; nothing of it is kept.
    """
    _one_at_a_time()
    proposed = proposed_card(text=text, effective_from=effective_from, at=at)
    if proposed.before and proposed.is_loaded:
        return proposed.before, False
    card = RateCard.objects.create(
        effective_from=effective_from, source_sha256=proposed.source_sha256, loaded_at=at
    )
    for price in proposed.prices:
        price.card = card
    RateCardPrice.objects.bulk_create(proposed.prices)
    details: Details = {"effective_from": effective_from.isoformat(), "prices": len(proposed.prices)}
    record(team=None, by=by, action="rate_card.loaded", subject=str(card), details=details, at=at)
    return card, True


@one_transaction()
def withdraw_rate_card(*, card: RateCard, at: datetime, by: User | None) -> None:
    """The card is never in force: until another is loaded, the one before it stays so. Its row stays too.

    Raises RateCardInForce from its moment on, and RateCardWithdrawn the second time.
    """
    _one_at_a_time()
    card.refresh_from_db()
    if card.withdrawn_at is not None:
        raise RateCardWithdrawn
    if card.effective_from <= at:
        raise RateCardInForce
    card.withdrawn_at = at
    card.save(update_fields=["withdrawn_at"])
    details: Details = {"effective_from": card.effective_from.isoformat()}
    record(team=None, by=by, action="rate_card.withdrawn", subject=str(card), details=details, at=at)


def _one_at_a_time() -> None:
    """Two first cards at once would not see each other. Calls, which only read cards, do not wait."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE quota_ratecard IN SHARE ROW EXCLUSIVE MODE")


def _parse(text: str) -> list[RateCardPrice]:
    reader = csv.DictReader(io.StringIO(text))
    missing = [column for column in RATE_CARD_COLUMNS if column not in (reader.fieldnames or [])]
    if missing:
        raise RateCardInvalid(
            _("The first line must name the columns %(columns)s.") % {"columns": ", ".join(RATE_CARD_COLUMNS)}
        )
    prices: list[RateCardPrice] = []
    seen: set[tuple[str, str, int]] = set()
    modalities: dict[str, str] = {}
    for row in reader:
        price = _price(row, reader.line_num)
        tier = (price.model, price.meter, price.context_over)
        if tier in seen:
            raise RateCardInvalid(
                _("Line %(line)s: %(model)s %(meter)s is priced twice.")
                % {"line": reader.line_num, "model": price.model, "meter": price.meter}
            )
        if modalities.setdefault(price.model, price.modality) != price.modality:
            raise RateCardInvalid(
                _("Line %(line)s: %(model)s has two modalities.")
                % {"line": reader.line_num, "model": price.model}
            )
        seen.add(tier)
        prices.append(price)
    if not prices:
        raise RateCardInvalid(_("The list has no prices."))
    for model, meter, _tier in seen:
        if (model, meter, 0) not in seen:
            raise RateCardInvalid(
                _("%(model)s %(meter)s has a price for large contexts and none for small ones.")
                % {"model": model, "meter": meter}
            )
    return prices


def _price(row: dict[str, str], line: int) -> RateCardPrice:
    """The price of one line, not saved. Raises RateCardInvalid, naming the line."""
    try:
        price = RateCardPrice(
            model=row["model"].strip(),
            modality=row["modality"].strip(),
            meter=row["meter"].strip(),
            unit_size=int(row["unit_size"]),
            nanousd_per_unit=nanousd_from_usd(row["usd_per_unit"]),
            context_over=int(row["context_over"] or 0),
            note=(row["note"] or "").strip(),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise RateCardInvalid(_("Line %(line)s: %(error)s") % {"line": line, "error": error}) from None
    if not (price.model and price.modality and price.meter):
        raise RateCardInvalid(_("Line %(line)s: model, modality and meter are needed.") % {"line": line})
    if price.unit_size < 1 or price.nanousd_per_unit < 0 or price.context_over < 0:
        raise RateCardInvalid(
            _("Line %(line)s: a unit is at least 1 and a price is not negative.") % {"line": line}
        )
    return price
