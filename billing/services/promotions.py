"""Promotion codes: who asked for what, before Stripe is asked; and our mirrors of what Stripe has made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from billing.fetch import Fetched
from billing.models import Promotion
from billing.money import NANOUSD_PER_CENT
from billing.stripe_api.snapshots import PromotionSnapshot
from quota.money import usd_text
from teams.models import User
from teams.services.audit import Details, because, record
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction

CODE = re.compile(r"[A-Za-z0-9-]{1,40}", re.ASCII)
Scope = Promotion.Scope
DURATIONS = ("once", "repeating", "forever")


@dataclass(frozen=True, slots=True)
class PromotionAsked:
    """What a code takes off: hundredths of a percent, or nano-dollars. `months`: for a repeating one only."""

    code: str
    percent_hundredths: int | None
    amount_nanousd: int | None
    duration: str
    months: int | None
    max_redemptions: int | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class PromotionTerms:
    """What a code is for, for whom, and from when on. `words` by language: a title and a description.
    `listed`: everyone reads it on the Promotions page.
    """

    scope: str = Scope.SEATS
    first_purchase: bool = False
    once_a_team: bool = True
    starts_at: datetime | None = None
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    listed: bool = False

    def as_details(self) -> Details:
        return {
            "scope": self.scope,
            "first_purchase": self.first_purchase,
            "once_a_team": self.once_a_team,
            "starts_at": self.starts_at.isoformat() if self.starts_at else None,
            "listed": self.listed,
        }


@one_transaction()
def ask_promotion(
    *, asked: PromotionAsked, terms: PromotionTerms, reason: str = "", at: datetime, by: User
) -> None:
    """Records who asked for the code. Raises InvalidValue for values that cannot be, or that Stripe would
    refuse.
    """
    _check_terms(terms, asked.expires_at)
    percent, amount = asked.percent_hundredths, asked.amount_nanousd
    if not CODE.fullmatch(asked.code):
        raise InvalidValue(_("A code has up to 40 letters, digits and dashes"), pointer="/code")
    if (percent is None) == (amount is None):
        raise InvalidValue(_("Give a percentage or an amount, not both"), pointer="/percent")
    if percent is not None and not 0 < percent <= 10_000:
        raise InvalidValue(_("A percentage is above 0 and at most 100"), pointer="/percent")
    if amount is not None and (amount <= 0 or amount % NANOUSD_PER_CENT):
        raise InvalidValue(_("An amount is in whole cents and above 0"), pointer="/amount")
    if asked.duration not in DURATIONS:
        raise InvalidValue(_("The duration is once, repeating or forever"), pointer="/duration")
    if (asked.duration == "repeating") != (asked.months is not None):
        refused = _("Give the number of months for a repeating discount, and for no other")
        raise InvalidValue(refused, pointer="/months")
    if asked.expires_at is not None and asked.expires_at <= at:
        raise InvalidValue(_("The code must expire in the future"), pointer="/expires_at")
    off = f"{percent} hundredths of a percent" if percent is not None else usd_text(amount or 0)
    details: Details = {
        "off": off,
        "duration": asked.duration,
        "months": asked.months,
        "max_redemptions": asked.max_redemptions,
        "expires_at": asked.expires_at.isoformat() if asked.expires_at else None,
        **terms.as_details(),
        **because(reason),
    }
    record(team=None, by=by, action="promotion.asked", subject=asked.code, details=details, at=at)


def _check_terms(terms: PromotionTerms, expires_at: datetime | None) -> None:
    if terms.scope not in (Scope.SEATS, Scope.CREDITS, Scope.BALANCE):
        raise InvalidValue(_("Say what the code is for"), pointer="/scope")
    if terms.starts_at is not None and expires_at is not None and terms.starts_at >= expires_at:
        raise InvalidValue(_("A promotion begins before it ends"), pointer="/starts_at")
    if terms.listed and not any(words.get("title") for words in terms.words.values()):
        raise InvalidValue(_("Give it a title, for everyone to read"), pointer="/listed")


@one_transaction()
def set_terms(
    *, promotion: Promotion, terms: PromotionTerms, reason: str = "", at: datetime, by: User
) -> Promotion:
    """From now on the code is for this. What it is for, and whether only for a first purchase, is said once,
    since Stripe keeps that too and changes it no more. Raises InvalidValue.
    """
    row = Promotion.objects.select_for_update(no_key=True).get(pk=promotion.pk)
    _check_terms(terms, row.expires_at)
    fixed = (row.scope, row.first_purchase)
    if row.scope and fixed != (terms.scope, terms.first_purchase):
        raise InvalidValue(
            _("What a code is for, and for whom, cannot be changed any more; make another code"),
            pointer="/scope",
        )
    row.scope, row.first_purchase = terms.scope, terms.first_purchase
    row.once_a_team, row.starts_at, row.listed = terms.once_a_team, terms.starts_at, terms.listed
    row.words = {language: dict(words) for language, words in terms.words.items()}
    row.save(update_fields=["scope", "first_purchase", "once_a_team", "starts_at", "listed", "words"])
    details = {**terms.as_details(), **because(reason)}
    record(team=None, by=by, action="promotion.terms_set", subject=row.code, details=details, at=at)
    return row


@one_transaction()
def record_switch(*, promotion: Promotion, active: bool, reason: str = "", at: datetime, by: User) -> None:
    """Records who switches it on or off, and why."""
    action = "promotion.activated" if active else "promotion.deactivated"
    record(team=None, by=by, action=action, subject=promotion.code, details=because(reason), at=at)


@one_transaction()
def apply_promotion(*, fetched: Fetched[PromotionSnapshot]) -> list[str]:
    """Our mirror shows what was fetched, unless it shows something more recent. A code that we did not make
    is for nothing until an operator says what for (`set_terms`). Returns what changed, a line.
    """
    snapshot, sequence = fetched.value, fetched.sequence
    values: dict[str, Any] = {
        "code": snapshot.code,
        "active": snapshot.active,
        "percent_hundredths": snapshot.percent_hundredths,
        "amount_nanousd": snapshot.amount_nanousd,
        "duration": snapshot.duration,
        "months": snapshot.months,
        "times_redeemed": snapshot.times_redeemed,
        "max_redemptions": snapshot.max_redemptions,
        "expires_at": snapshot.expires_at,
        "fetch_sequence": sequence,
    }
    # The event that a code was made may be worked beside the answer to our making it: one of them inserts.
    rows = Promotion.objects.select_for_update(no_key=True)
    row, is_new = rows.get_or_create(stripe_id=snapshot.id, defaults=values)
    if row.fetch_sequence >= sequence and not is_new:
        return []
    before = (row.active, row.times_redeemed)
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
    return [f"promotion {row.code}"] if is_new or before != (row.active, row.times_redeemed) else []
