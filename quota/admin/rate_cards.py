"""Rate cards: read-only. A new one is loaded by `manage.py load_rate_card`."""

from __future__ import annotations

from django.contrib import admin

from quota.models import RateCard, RateCardPrice
from tokenplan.kit.admin import ReadOnlyAdmin, ReadOnlyInline


class PriceInline(ReadOnlyInline):
    model = RateCardPrice
    fields = ("model", "modality", "meter", "unit_size", "nanousd_per_unit", "context_over", "note")
    show_change_link = False


@admin.register(RateCard)
class RateCardAdmin(ReadOnlyAdmin[RateCard]):
    list_display = ("effective_from", "loaded_at", "source_sha256")
    ordering = ("-effective_from",)
    inlines = (PriceInline,)
