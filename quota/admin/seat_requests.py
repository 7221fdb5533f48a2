"""Requests for a seat, read-only: a Team's Owner and Admins answer them."""

from __future__ import annotations

from django.contrib import admin

from quota.models import SeatRequest
from tokenplan.kit.admin import ReadOnlyAdmin


@admin.register(SeatRequest)
class SeatRequestAdmin(ReadOnlyAdmin[SeatRequest]):
    list_display = ("membership", "plan_code", "created_at", "closed_at", "granted")
    list_select_related = ("membership__user", "membership__team")
    search_fields = ("membership__user__email__contains", "team__slug")
    ordering = ("-id",)
