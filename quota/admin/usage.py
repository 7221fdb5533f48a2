"""Usage: reservations, charges and the windows that have ended, all read-only."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from quota.models import ClosedWindow, RefusedCall, Reservation, UsageEvent
from quota.money import credits_text, usd_text
from tokenplan.kit.admin import ReadOnlyAdmin


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin[Reservation]):
    list_display = ("id", "team", "model", "estimate", "state", "created_at", "expires_at", "expired")
    list_select_related = ("team",)
    list_filter = ("state", "expired", "gateway")
    search_fields = ("=id", "=request_id", "team__slug")
    ordering = ("-created_at",)

    @admin.display(description=_("Estimate"))
    def estimate(self, row: Reservation) -> str:
        return usd_text(row.estimate_nanousd)


@admin.register(UsageEvent)
class UsageEventAdmin(ReadOnlyAdmin[UsageEvent]):
    list_display = (
        "occurred_at",
        "team",
        "model",
        "amount",
        "quota",
        "credits",
        "balance",
        "overrun",
        "recorded_at",
    )
    list_select_related = ("team",)
    search_fields = ("=id", "=external_id", "team__slug", "=model")
    ordering = ("-occurred_at", "-id")

    @admin.display(description=_("Price"))
    def amount(self, event: UsageEvent) -> str:
        return usd_text(event.amount_nanousd)

    @admin.display(description=_("From the API balance"))
    def balance(self, event: UsageEvent) -> str:
        return usd_text(event.from_balance_nanousd)

    @admin.display(description=_("From quota"))
    def quota(self, event: UsageEvent) -> str:
        return usd_text(event.from_quota_nanousd)

    @admin.display(description=_("From Credits"))
    def credits(self, event: UsageEvent) -> str:
        return credits_text(event.from_credits_nanousd)

    @admin.display(description=_("Overrun"))
    def overrun(self, event: UsageEvent) -> str:
        return usd_text(event.overrun_nanousd)


@admin.register(RefusedCall)
class RefusedCallAdmin(ReadOnlyAdmin[RefusedCall]):
    list_display = ("at", "team", "code", "model", "request_id", "detail")
    list_select_related = ("team",)
    list_filter = ("code", "gateway")
    search_fields = ("=request_id", "=key__key_id", "team__slug")
    ordering = ("-at", "-pk")


@admin.register(ClosedWindow)
class ClosedWindowAdmin(ReadOnlyAdmin[ClosedWindow]):
    list_display = ("seat", "team", "name", "starts_at", "ends_at", "used_nanousd", "limit_nanousd")
    list_select_related = ("seat", "team")
    search_fields = ("=seat__id", "team__slug")
    ordering = ("-starts_at", "-id")
