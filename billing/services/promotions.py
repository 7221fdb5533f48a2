"""Promotion codes: who asked for what, before Stripe is asked; and our mirrors of what Stripe has made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from billing.fetch import Fetched
from billing.models import Promotion
from billing.money import NANOUSD_PER_CENT
from billing.stripe_api.snapshots import PromotionSnapshot
from quota.money import usd_text
from teams.models import User
from teams.services.audit import Details, record
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction

CODE = re.compile(r"[A-Za-z0-9-]{1,40}", re.ASCII)
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


@one_transaction()
def ask_promotion(*, asked: PromotionAsked, at: datetime, by: User) -> None:
    """Records who asked for the code. Raises InvalidValue for values that Stripe would refuse."""
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
    }
    record(team=None, by=by, action="promotion.asked", subject=asked.code, details=details, at=at)


@one_transaction()
def record_switch(*, promotion: Promotion, active: bool, at: datetime, by: User) -> None:
    """Records who switches it on or off."""
    action = "promotion.activated" if active else "promotion.deactivated"
    record(team=None, by=by, action=action, subject=promotion.code, at=at)


@one_transaction()
def apply_promotion(*, fetched: Fetched[PromotionSnapshot]) -> list[str]:
    """Our mirror shows what was fetched, unless it shows something more recent. Returns what changed, a
    line.
    """
    snapshot = fetched.value
    row = Promotion.objects.select_for_update().filter(stripe_id=snapshot.id).first()
    row = row or Promotion(stripe_id=snapshot.id)
    if row.fetch_sequence >= fetched.sequence:
        return []
    before = (row.active, row.times_redeemed) if row.pk else None
    row.code, row.active, row.duration = snapshot.code, snapshot.active, snapshot.duration
    row.percent_hundredths, row.amount_nanousd = snapshot.percent_hundredths, snapshot.amount_nanousd
    row.times_redeemed, row.max_redemptions = snapshot.times_redeemed, snapshot.max_redemptions
    row.expires_at, row.fetch_sequence = snapshot.expires_at, fetched.sequence
    row.save()
    return [f"promotion {row.code}"] if before != (row.active, row.times_redeemed) else []
