"""Usage: reservations, charges and the windows that have ended, all read-only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.admin.advice import REFUSED, SEE_DETAIL, of_hold
from quota.admin.columns import usd
from quota.hot_path.catalog import prices_then, rate_card, windows_around
from quota.models import ClosedWindow, RefusedCall, Reservation, UsageEvent
from quota.models.reservations import LAPSED
from quota.models.usage import OWN_DRAW
from quota.money import credits_words, usd_text
from quota.pricing import MAX_QUANTITY, Price
from quota.selectors.refused_calls import people_of
from quota.services.corrections import correct_charge
from quota.templatetags.guides import meter_name, units_words
from teams.models import User
from tokenplan.kit.admin import ReadOnlyAdmin, Verb, VerbsAdmin, why_and_what


class LapsedFilter(admin.SimpleListFilter):
    """Holds about which their gateway said nothing in time, of calls that were made lately."""

    title = _("when it lapsed")
    parameter_name = "lapsed"
    DAYS: ClassVar = {"day": 1, "week": 7}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("day", gettext("In the last 24 hours")), ("week", gettext("In the last 7 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reservation]) -> QuerySet[Reservation]:
        days = self.DAYS.get(self.value() or "")
        if days is None:
            return queryset
        return queryset.filter(expired=True, created_at__gte=timezone.now() - timedelta(days=days))


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin[Reservation]):
    list_display = ("id", "team", "model", "estimate", "created_at", "expires_at", "why")
    list_select_related = ("team",)
    list_filter = (LapsedFilter, "state", "expired", "gateway")
    search_fields = ("=id", "=request_id", "team__slug")
    ordering = ("-created_at",)

    @admin.display(description=_("Estimate"))
    def estimate(self, row: Reservation) -> str:
        return usd_text(row.estimate_nanousd)

    @admin.display(description=_("State, and what to do"), ordering="state")
    def why(self, row: Reservation) -> SafeString:
        at = timezone.now()
        state = gettext("lapsed") if row.state_at(at) == LAPSED else row.get_state_display()
        return why_and_what(state, of_hold(row, at))


class CorrectionForm(forms.Form):
    """What the call really used, and why the charge was wrong."""

    model = forms.CharField(max_length=100, required=False, label=_("Model"), help_text=_("Empty: the same."))
    reason = forms.CharField(
        max_length=200, label=_("Reason"), help_text=_("Goes into the Team's audit log.")
    )

    def __init__(self, event: UsageEvent, data: Any) -> None:
        """With a field for each meter that the call used, or that its model has a price for."""
        super().__init__(data, initial={"model": event.model})
        priced = rate_card(event.rate_card_id).find(event.model) if event.rate_card_id else None
        meters = dict.fromkeys((*sorted(event.usage), *(priced.meters if priced else ())))
        self._fields_of = {meter: f"meter-{meter}" for meter in meters}
        for meter, name in self._fields_of.items():
            self.fields[name] = forms.IntegerField(
                label=meter_name(meter),
                required=False,
                min_value=0,
                max_value=MAX_QUANTITY,
                initial=event.usage.get(meter),
            )
        if self._fields_of:
            last = self.fields[[*self._fields_of.values()][-1]]
            last.help_text = _("All numbers empty: the call is not charged at all.")
        self.order_fields([*self._fields_of.values()])

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        # Nothing must not be charged because a page of an earlier version has no such fields.
        if not any(name in self.data for name in self._fields_of.values()):
            raise forms.ValidationError(_("This page has changed meanwhile: open it again."))
        used = {meter: values.get(name) for meter, name in self._fields_of.items()}
        return {**values, "usage": {meter: said for meter, said in used.items() if said is not None} or None}


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


def _used_words(meter: str, quantity: int, price: Price | None) -> str:
    """`Characters: 1,530 at $0.10 for 1,000`."""
    said = {"meter": meter_name(meter), "used": f"{quantity:,}"}
    if price is None:
        return gettext("%(meter)s: %(used)s, not priced") % said
    said |= {"usd": usd_text(price.nanousd_per_unit), "units": units_words(price.unit_size)}
    words = gettext("%(meter)s: %(used)s at %(usd)s %(units)s") % said
    if not price.context_over:
        return words
    over = gettext("(input over %(tokens)s tokens)") % {"tokens": f"{price.context_over:,}"}
    return f"{words} {over}"


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
    # First what answers "why was I charged?", then what the call said, then where it came from.
    fields = readonly_fields = (
        "occurred_at",
        "membership",
        "model",
        "used",
        "amount",
        "quota",
        "credits",
        "balance",
        "overrun",
        "around",
        "unpriced",
        "estimated",
        "is_undo",
        "corrects",
        "seat",
        "plan",
        "key",
        "api_key",
        "agent",
        "tagged",
        "gateway",
        "reservation",
        "draw",
        "external_id",
        "recorded_at",
    )

    @admin.display(description=_("Price"))
    def amount(self, event: UsageEvent) -> str:
        return usd_text(event.amount_nanousd)

    @admin.display(description=_("Used, and at which prices"))
    def used(self, event: UsageEvent) -> str:
        """Meter by meter, as on the receipt."""
        prices = {price.meter: price for price in prices_then(event.rate_card_id, event.model, event.usage)}
        lines = [_used_words(meter, event.usage[meter], prices.get(meter)) for meter in sorted(event.usage)]
        return "; ".join(lines) or "-"

    @admin.display(description=_("tags"))
    def tagged(self, event: UsageEvent) -> str:
        return ", ".join(event.tags) or "-"

    @admin.display(description=_("From the API balance"))
    def balance(self, event: UsageEvent) -> str:
        return usd_text(event.from_balance_nanousd)

    @admin.display(description=_("From quota"))
    def quota(self, event: UsageEvent) -> str:
        return usd_text(event.from_quota_nanousd)

    @admin.display(description=_("From Credits"))
    def credits(self, event: UsageEvent) -> str:
        return credits_words(event.from_credits_nanousd)

    @admin.display(description=_("Its windows, before and after"))
    def around(self, row: UsageEvent) -> str:
        before, after = windows_around(row)
        lines = [
            gettext("%(window)s: %(before)s, then %(after)s of %(limit)s")
            % {
                "window": window.limit.label,
                "before": usd_text(window.used),
                "after": usd_text(later.used),
                "limit": usd_text(window.limit.nanousd),
            }
            for window, later in zip(before, after, strict=True)
        ]
        return "; ".join(lines) or "-"

    @admin.display(description=_("Draw"))
    def draw(self, row: UsageEvent) -> str:
        own = row.draw_id.startswith(OWN_DRAW)
        return gettext("none of the gateway's") if own else row.draw_id or "-"

    @admin.display(description=_("Overrun"))
    def overrun(self, event: UsageEvent) -> str:
        return usd_text(event.overrun_nanousd)


@admin.register(RefusedCall)
class RefusedCallAdmin(ReadOnlyAdmin[RefusedCall]):
    list_display = ("at", "team", "person", "request_id", "why")
    list_select_related = ("team",)
    list_filter = ("code", "gateway")
    fields = readonly_fields = (
        "at",
        "team",
        "person",
        "why",
        "model",
        "request_id",
        "gateway",
        "key_public_id",
    )
    search_fields = ("=request_id", "=key_public_id", "team__slug")
    ordering = ("-at", "-pk")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """With the people of all rows of the page, who would else be asked for row by row."""
        page = super().get_changelist_instance(request)
        people = people_of({row.key_public_id for row in page.result_list})
        for row in page.result_list:
            row.person = people.get(row.key_public_id)
        return page

    @admin.display(description=_("Person"))
    def person(self, row: RefusedCall) -> SafeString | str:
        """With a link to what support is shown of them."""
        user = row.person if hasattr(row, "person") else people_of([row.key_public_id]).get(row.key_public_id)
        if user is None:
            return "-"
        return format_html('<a href="{}">{}</a>', reverse("support-person", args=[user.pk]), user.email)

    @admin.display(description=_("Why, and what to do"))
    def why(self, row: RefusedCall) -> SafeString:
        return why_and_what(f"{row.detail} ({row.code})", REFUSED.get(row.code, SEE_DETAIL))


@admin.register(ClosedWindow)
class ClosedWindowAdmin(ReadOnlyAdmin[ClosedWindow]):
    list_display = (
        "seat",
        "team",
        "name",
        "starts_at",
        "ends_at",
        usd("used_nanousd", _("Used")),
        usd("limit_nanousd", _("Limit")),
    )
    list_select_related = ("seat", "team")
    search_fields = ("=seat__id", "team__slug")
    ordering = ("-starts_at", "-id")
