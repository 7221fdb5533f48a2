"""Rate cards: price lists of models, each in force from a moment on, loaded whole and never edited. One
that is not in force yet may be withdrawn.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from quota.errors import RateCardInForce, RateCardInvalid, RateCardWithdrawn
from quota.models import RateCard, RateCardAlias, RateCardPrice
from quota.pricing import DEFAULT_HOLD
from quota.rate_card_lists import RateCardList, read_rate_card_list
from teams.models import User
from teams.services.audit import Details, because, record
from tokenplan.kit.transactions import one_transaction, write_alone


@dataclass(frozen=True, slots=True)
class ProposedCard:
    """What loading a list would do. `before` is in force at its moment now, `following` takes over later.

    Where the list is the one of `before`, it `is_loaded` and nothing is to be done.
    """

    effective_from: datetime
    source_sha256: str
    rows: RateCardList
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
        rows=read_rate_card_list(text),
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
    """Load a whole price list (CSV, read by `read_rate_card_list`) that is in force from `effective_from`.

    Returns the card and whether it is new: the same list as the one in force then is not loaded again. Only
    the first card may begin in the past: a later one would price anew what was charged by another. Raises
    RateCardInvalid, naming the line, for a list that cannot be used; nothing of it is kept.
    """
    write_alone(RateCard)
    proposed = proposed_card(text=text, effective_from=effective_from, at=at)
    if proposed.before and proposed.is_loaded:
        return proposed.before, False
    card = RateCard.objects.create(
        effective_from=effective_from, source_sha256=proposed.source_sha256, loaded_at=at
    )
    for price in proposed.rows.prices:
        price.card = card
    for alias in proposed.rows.aliases:
        alias.card = card
    RateCardPrice.objects.bulk_create(proposed.rows.prices)
    RateCardAlias.objects.bulk_create(proposed.rows.aliases)
    priced = [price for price in proposed.rows.prices if price.meter != DEFAULT_HOLD]
    details: Details = {"effective_from": effective_from.isoformat(), "prices": len(priced)}
    record(team=None, by=by, action="rate_card.loaded", subject=str(card), details=details, at=at)
    return card, True


@one_transaction()
def withdraw_rate_card(*, card: RateCard, reason: str = "", at: datetime, by: User | None) -> None:
    """The card is never in force: until another is loaded, the one before it stays so. Its row stays too.

    Raises RateCardInForce from its moment on, and RateCardWithdrawn the second time.
    """
    write_alone(RateCard)
    card.refresh_from_db()
    if card.withdrawn_at is not None:
        raise RateCardWithdrawn
    if card.effective_from <= at:
        raise RateCardInForce
    card.withdrawn_at = at
    card.save(update_fields=["withdrawn_at"])
    details: Details = {"effective_from": card.effective_from.isoformat(), **because(reason)}
    record(team=None, by=by, action="rate_card.withdrawn", subject=str(card), details=details, at=at)
