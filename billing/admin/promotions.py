"""Promotion codes: made here, taken off by Stripe; what they are for, and each Team's use, is ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.forms import PromotionForm, TermsForm, terms_of
from billing.models import Promotion, PromotionRedemption
from billing.services.promotions import PromotionAsked, set_terms
from billing.workflows.promotions import create_promotion, set_promotion_active
from teams.models import User
from tokenplan.kit.admin import ReadOnlyInline, Verb, VerbsAdmin, form_page, operator
from tokenplan.kit.pages import RightNeeded, attempt_form, right_of


class RedemptionInline(ReadOnlyInline):
    """Which Teams have used it, or are about to."""

    model = PromotionRedemption
    fields = readonly_fields = ("team", "state", "checkout", "created_at", "closed_at")
    ordering = ("-created_at",)
    show_change_link = False


def _set_terms(promotion: Promotion, values: Mapping[str, Any], by: User, at: datetime) -> str:
    set_terms(promotion=promotion, terms=terms_of(values), reason=values["reason"], at=at, by=by)
    return gettext("The terms of %(code)s are saved.") % {"code": promotion.code}


@admin.register(Promotion)
class PromotionAdmin(VerbsAdmin[Promotion]):
    list_display = (
        "code",
        "takes_off",
        "duration",
        "scope",
        "active",
        "listed",
        "times_redeemed",
        "expires_at",
    )
    list_filter = ("active", "scope", "first_purchase")
    search_fields = ("code", "=stripe_id")
    ordering = ("-id",)
    fields = readonly_fields = (
        "code",
        "takes_off",
        "duration",
        "scope",
        "first_purchase",
        "once_a_team",
        "active",
        "times_redeemed",
        "max_redemptions",
        "starts_at",
        "expires_at",
        "listed",
        "title",
        "description",
        "stripe_id",
    )
    actions = ("activate", "deactivate")
    inlines = (RedemptionInline,)
    verbs = (Verb("terms", _("Say what it is for"), TermsForm, _set_terms),)

    @admin.display(description=_("Title"))
    def title(self, row: Promotion) -> str:
        return row.title

    @admin.display(description=_("Description"))
    def description(self, row: Promotion) -> str:
        return row.description

    @admin.display(description=_("Takes off"))
    def takes_off(self, row: Promotion) -> str:
        return row.takes_off

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(right_of(self.model, "add"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Makes a code: only one, however often the form is sent."""
        if not self.has_add_permission(request):
            raise RightNeeded(right_of(self.model, "add"))
        form = PromotionForm(request.POST if request.method == "POST" else None)
        at = timezone.now()
        back = reverse("admin:billing_promotion_changelist")
        if request.method == "POST":
            made = attempt_form(form, lambda: _create(form.cleaned_data, operator(request), at))
            if made:
                self.message_user(request, _made(made.value, at))
                return redirect(back)
        return form_page(self, request, form, title=gettext("Make a promotion code"), back=back)

    @admin.action(description=_("Activate"), permissions=["act"])
    def activate(self, request: HttpRequest, rows: QuerySet[Promotion]) -> HttpResponse | None:
        return self._set(request, rows, "activate", gettext("activated"), active=True)

    @admin.action(description=_("Deactivate: nobody can redeem it any more"), permissions=["act"])
    def deactivate(self, request: HttpRequest, rows: QuerySet[Promotion]) -> HttpResponse | None:
        return self._set(request, rows, "deactivate", gettext("deactivated"), active=False)

    def _set(
        self, request: HttpRequest, rows: QuerySet[Promotion], action: str, done: str, *, active: bool
    ) -> HttpResponse | None:
        return self.act(
            request,
            rows,
            done,
            lambda row, why, by, at: set_promotion_active(
                promotion=row, active=active, reason=why, at=at, by=by
            ),
            action=action,
        )


def _made(promotion: Promotion, at: datetime) -> str:
    if promotion.starts_at is None or promotion.starts_at <= at:
        return gettext("%(code)s can be redeemed from now on.") % {"code": promotion.code}
    begins = date_format(promotion.starts_at, "j F Y, H:i")
    return gettext("%(code)s can be redeemed from %(moment)s UTC on.") % {
        "code": promotion.code,
        "moment": begins,
    }


def _create(values: dict[str, Any], by: User, at: datetime) -> Promotion:
    percent = values["percent"]
    asked = PromotionAsked(
        code=values["code"],
        percent_hundredths=None if percent is None else int(percent * 100),
        amount_nanousd=values["amount"],
        duration=values["duration"],
        months=values["months"],
        max_redemptions=values["max_redemptions"],
        expires_at=values["expires_at"],
    )
    return create_promotion(
        request=values["request"],
        asked=asked,
        terms=terms_of(values),
        reason=values["reason"],
        at=at,
        by=by,
    )
