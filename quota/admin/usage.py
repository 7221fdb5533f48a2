"""Usage: reservations, charges and the windows that have ended, all read-only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.models import ClosedWindow, RefusedCall, Reservation, UsageEvent
from quota.money import credits_text, usd_text
from quota.services.corrections import correct_charge
from teams.models import User
from tokenplan.kit.admin import ReadOnlyAdmin, Verb, VerbsAdmin


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


class CorrectionForm(forms.Form):
    """What the call really used, and why the charge was wrong."""

    usage = forms.JSONField(
        required=False,
        label=_("Usage"),
        help_text=_("Meter to quantity, as JSON. Empty: the call is not charged at all."),
    )
    model = forms.CharField(max_length=100, required=False, label=_("Model"), help_text=_("Empty: the same."))
    reason = forms.CharField(
        max_length=200, label=_("Reason"), help_text=_("Goes into the Team's audit log.")
    )

    def __init__(self, event: UsageEvent, data: Any) -> None:
        super().__init__(data, initial={"usage": event.usage, "model": event.model})

    def clean_usage(self) -> dict[str, int] | None:
        usage = self.cleaned_data["usage"]
        if usage is None:
            return None
        quantities = usage.values() if isinstance(usage, dict) else [None]
        if not usage or any(type(quantity) is not int for quantity in quantities):
            raise forms.ValidationError(_("Write meters with whole numbers, as {“input_tokens”: 100}."))
        return dict(usage)


def _correct(event: UsageEvent, values: Mapping[str, Any], by: User, at: datetime) -> str:
    done = correct_charge(
        event=event,
        usage=values["usage"],
        model=values["model"],
        reason=values["reason"],
        at=at,
        by=by,
    )
    amount = usd_text(done.right.amount_nanousd if done.right else 0)
    return gettext("The charge is undone; %(amount)s are charged instead.") % {"amount": amount}


@admin.register(UsageEvent)
class UsageEventAdmin(VerbsAdmin[UsageEvent]):
    pk_converter = "uuid"
    verbs = (
        Verb(
            "correct",
            _("Correct the charge"),
            CorrectionForm,
            _correct,
            fits=lambda event: not event.is_undo and not event.corrections.filter(is_undo=True).exists(),
        ),
    )
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
    search_fields = ("=request_id", "=key_public_id", "team__slug")
    ordering = ("-at", "-pk")


@admin.register(ClosedWindow)
class ClosedWindowAdmin(ReadOnlyAdmin[ClosedWindow]):
    list_display = ("seat", "team", "name", "starts_at", "ends_at", "used_nanousd", "limit_nanousd")
    list_select_related = ("seat", "team")
    search_fields = ("=seat__id", "team__slug")
    ordering = ("-starts_at", "-id")
