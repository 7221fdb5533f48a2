"""Rate cards: loaded by `manage.py load_rate_card`, and withdrawn here or by a command while they may be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.admin.columns import usd
from quota.models import RateCard, RateCardPrice
from quota.selectors.rate_cards import changes_of_withdrawal
from quota.services.rate_cards import withdraw_rate_card
from teams.models import User
from tokenplan.kit.admin import ReadOnlyInline, ReasonForm, Verb, VerbsAdmin

PRICE_OF_UNIT = usd("nanousd_per_unit", _("Price of a unit"))


class PriceInline(ReadOnlyInline):
    model = RateCardPrice
    fields = ("model", "modality", "meter", "unit_size", PRICE_OF_UNIT, "context_over", "note")
    readonly_fields = (PRICE_OF_UNIT,)
    show_change_link = False


def _preview_withdrawal(card: RateCard, values: Mapping[str, Any]) -> list[str]:
    instead, changes = changes_of_withdrawal(card)
    if instead is None:
        first = gettext("%(card)s will never be in force; no other card is in force then.") % {"card": card}
    else:
        first = gettext("%(card)s will never be in force. This one stays: %(instead)s.") % {
            "card": card,
            "instead": instead,
        }
    return [first, *map(str, changes)]


def _may_be_withdrawn(card: RateCard) -> bool:
    return card.withdrawn_at is None and card.effective_from > timezone.now()


def _withdraw(card: RateCard, values: Mapping[str, Any], by: User, at: datetime) -> str:
    withdraw_rate_card(card=card, reason=values["reason"], at=at, by=by)
    return gettext("%(card)s is withdrawn.") % {"card": card}


@admin.register(RateCard)
class RateCardAdmin(VerbsAdmin[RateCard]):
    list_display = ("effective_from", "loaded_at", "withdrawn_at", "source_sha256")
    ordering = ("-effective_from",)
    inlines = (PriceInline,)
    verbs = (Verb("withdraw", _("Withdraw"), ReasonForm, _withdraw, _preview_withdrawal, _may_be_withdrawn),)
