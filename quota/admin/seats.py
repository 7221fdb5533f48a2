"""What operators do to a seat: give it another plan or end, suspend, resume, withdraw it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.admin.fields import UNTIL, MomentField
from quota.models import Entitlement, Plan
from quota.services import entitlements
from teams.admin import HoldingInline
from teams.models import Seat, User
from teams.services import seats
from tokenplan.kit.admin import ReadOnlyAdmin, ReadOnlyInline, ReasonForm, Verb, VerbsAdmin


class EntitlementForm(forms.Form):
    """Another plan, or another end, for a seat, from now on."""

    plan = forms.ModelChoiceField(Plan.objects.order_by("rank", "-version"), label=_("Plan"))
    ends_at = MomentField(label=_("Until"), help_text=UNTIL)
    reason = forms.CharField(label=_("Reason"), max_length=150, help_text=_("Goes into the audit log."))

    def __init__(self, seat: Seat, data: Any) -> None:
        super().__init__(data)


def _entitle(seat: Seat, values: Mapping[str, Any], by: User, at: datetime) -> str:
    term = entitlements.Term(
        seat=seat,
        plan=values["plan"],
        starts_at=at,
        ends_at=values["ends_at"],
        renews_at=None,
        source=f"operator: {values['reason']}",
    )
    entitlements.entitle_seats(terms=[term], reason=values["reason"], at=at, by=by)
    return gettext("%(seat)s has %(plan)s from now on. Its usage stays.") % {
        "seat": seat,
        "plan": values["plan"],
    }


def _suspend(seat: Seat, values: Mapping[str, Any], by: User, at: datetime) -> str:
    entitlements.suspend_seat(seat=seat, reason=values["reason"], at=at, by=by)
    return gettext("%(seat)s is suspended. Credits pay for its calls.") % {"seat": seat}


def _resume(seat: Seat, values: Mapping[str, Any], by: User, at: datetime) -> str:
    entitlements.resume_seat(seat=seat, reason=values["reason"], at=at, by=by)
    return gettext("%(seat)s works again.") % {"seat": seat}


def _withdraw(seat: Seat, values: Mapping[str, Any], by: User, at: datetime) -> str:
    entitlements.withdraw_seat(seat=seat, reason=values["reason"], at=at, by=by)
    return gettext("%(seat)s is withdrawn.") % {"seat": seat}


class EntitlementInline(ReadOnlyInline):
    """The plans that a seat has and had."""

    model = Entitlement
    fields = ("plan", "starts_at", "ends_at", "superseded_at", "suspended_at", "source")
    ordering = ("-starts_at", "-id")


@admin.register(Entitlement)
class EntitlementAdmin(ReadOnlyAdmin[Entitlement]):
    list_display = ("seat", "team", "plan", "starts_at", "ends_at", "superseded_at", "suspended_at", "source")
    list_select_related = ("seat", "team", "plan")
    search_fields = ("=seat__id", "team__slug", "source")
    ordering = ("-id",)


@admin.register(Seat)
class SeatAdmin(VerbsAdmin[Seat]):
    """A seat, with what it is entitled to."""

    list_display = ("id", "team", "number", "created_at", "removed_at")
    list_filter = (("removed_at", admin.EmptyFieldListFilter),)
    list_select_related = ("team",)
    search_fields = ("=id", "team__slug", "team__name")
    ordering = ("-id",)
    inlines = (EntitlementInline, HoldingInline)
    actions = ("free",)
    verbs = (
        Verb("entitle", _("Give another plan or end"), EntitlementForm, _entitle),
        Verb("suspend", _("Suspend"), ReasonForm, _suspend),
        Verb("resume", _("Resume"), ReasonForm, _resume),
        Verb("withdraw", _("Withdraw"), ReasonForm, _withdraw),
    )

    @admin.action(description=_("Free: take from its holder"), permissions=["act"])
    def free(self, request: HttpRequest, rows: QuerySet[Seat]) -> HttpResponse | None:
        return self.act(
            request,
            rows,
            gettext("freed"),
            lambda seat, why, by, at: seats.free_seat(seat=seat, reason=why, by=by, at=at),
            action="free",
        )
