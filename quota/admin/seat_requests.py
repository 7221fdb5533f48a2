"""Requests for a seat or for Credits, read-only: a Team's Owner and Admins answer them."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from quota.admin.columns import in_credits
from quota.models import CreditRequest, SeatRequest
from tokenplan.kit.admin import ReadOnlyAdmin


@admin.register(SeatRequest)
class SeatRequestAdmin(ReadOnlyAdmin[SeatRequest]):
    list_display = ("membership", "plan_code", "created_at", "closed_at", "granted", "seat")
    list_select_related = ("membership__user", "membership__team")
    search_fields = ("membership__user__email__contains", "team__slug")
    ordering = ("-id",)


@admin.register(CreditRequest)
class CreditRequestAdmin(ReadOnlyAdmin[CreditRequest]):
    list_display = (
        "membership",
        "created_at",
        "closed_at",
        "granted",
        "overflow",
        in_credits("month_cap_nanousd", _("Cap a month")),
    )
    list_select_related = ("membership__user", "membership__team")
    search_fields = ("membership__user__email__contains", "team__slug")
    ordering = ("-id",)
