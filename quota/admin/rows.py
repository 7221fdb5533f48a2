"""Rows of plans, usage and Credits for operators: read-only, with the few actions there are on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control

from quota.admin.forms import GatewayForm, LotChangeForm, PlanVersionForm
from quota.models import (
    ClosedWindow,
    CreditAccess,
    CreditGrant,
    CreditLedgerEntry,
    Entitlement,
    Gateway,
    Plan,
    PlanLimit,
    RateCard,
    RateCardPrice,
    Reservation,
    SeatRequest,
    UsageEvent,
)
from quota.money import credits_text, usd_text
from quota.services import gateways
from quota.services.credits import adjust_lot, freeze_lot
from quota.services.plans import create_plan_version
from quota.windows import Limit
from teams.models import User
from tokenplan.kit.admin import ReadOnlyAdmin, ReadOnlyInline, Verb, VerbsAdmin, form_page, operator
from tokenplan.kit.pages import attempt_form


def _new_version(plan: Plan, values: Mapping[str, Any], by: User, at: datetime) -> str:
    limits = [Limit(limit.name, limit.rule, values[f"limit_{limit.name}"]) for limit in plan.limits.all()]
    made = create_plan_version(
        code=plan.code,
        name=values["name"],
        rank=plan.rank,
        agents=(values["agents_min"], values["agents_max"]),
        agents_enforced=values["agents_enforced"],
        limits=limits,
        at=at,
        by=by,
    )
    return f"{made} is on sale. Seats on earlier versions keep theirs."


def _change_lot(lot: CreditGrant, values: Mapping[str, Any], by: User, at: datetime) -> str:
    lot = adjust_lot(
        lot=lot,
        nanousd=values["credits"],
        kind=CreditLedgerEntry.Kind(values["kind"]),
        cause=values["cause"],
        at=at,
        by=by,
    )
    return f"The lot holds {credits_text(lot.remaining_nanousd)} Credits now."


class LimitInline(ReadOnlyInline):
    model = PlanLimit
    fields = ("name", "policy", "length_seconds", "anchor", "limit_nanousd")


@admin.register(Plan)
class PlanAdmin(VerbsAdmin[Plan]):
    list_display = ("name", "code", "version", "rank", "agents_min", "agents_max", "sellable", "created_at")
    list_filter = ("sellable", "code")
    inlines = (LimitInline,)
    verbs = (Verb("new-version", "Make a new version", PlanVersionForm, _new_version),)


class PriceInline(ReadOnlyInline):
    model = RateCardPrice
    fields = ("model", "modality", "meter", "unit_size", "nanousd_per_unit", "context_over", "note")
    show_change_link = False


@admin.register(RateCard)
class RateCardAdmin(ReadOnlyAdmin[RateCard]):
    list_display = ("effective_from", "loaded_at", "source_sha256")
    ordering = ("-effective_from",)
    inlines = (PriceInline,)


@admin.register(Entitlement)
class EntitlementAdmin(ReadOnlyAdmin[Entitlement]):
    list_display = ("seat", "team", "plan", "starts_at", "ends_at", "superseded_at", "suspended_at", "source")
    list_select_related = ("seat", "team", "plan")
    search_fields = ("=seat__id", "team__slug", "source")
    ordering = ("-id",)


@admin.register(Gateway)
class GatewayAdmin(ReadOnlyAdmin[Gateway]):
    list_display = ("name", "prefix", "created_at", "revoked_at")
    exclude = ("token_hash",)
    ordering = ("name",)
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("quota.add_gateway")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Makes a gateway, and shows its credential: on this answer, and never again."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form: Form = GatewayForm(request.POST or None)
        made: list[tuple[Gateway, str]] = []
        at = timezone.now()
        back = reverse("admin:quota_gateway_changelist")
        if request.method == "POST" and attempt_form(
            form,
            lambda: made.append(
                gateways.create_gateway(name=form.cleaned_data["name"], at=at, by=operator(request))
            ),
        ):
            gateway, text = made[0]
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": f"Gateway {gateway.name}",
                "text": text,
                "back": back,
            }
            response = TemplateResponse(request, "admin/quota/gateway_made.html", context)
            patch_cache_control(response, no_store=True, private=True)
            return response
        return form_page(self, request, form, title="Make a gateway", back=back)

    @admin.action(description="Revoke", permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Gateway]) -> None:
        self.act(
            request, rows, "revoked", lambda row, by, at: gateways.revoke_gateway(gateway=row, at=at, by=by)
        )


@admin.register(CreditGrant)
class CreditGrantAdmin(VerbsAdmin[CreditGrant]):
    list_display = ("id", "team", "credits", "left", "granted_at", "expires_at", "frozen_at", "source")
    list_select_related = ("team",)
    search_fields = ("team__slug", "source")
    ordering = ("-id",)
    actions = ("freeze", "unfreeze")
    verbs = (Verb("correct", "Refund or adjust", LotChangeForm, _change_lot),)

    @admin.display(description="Credits")
    def credits(self, lot: CreditGrant) -> str:
        return credits_text(lot.amount_nanousd)

    @admin.display(description="Left")
    def left(self, lot: CreditGrant) -> str:
        return credits_text(lot.remaining_nanousd)

    @admin.action(description="Freeze: a disputed payment", permissions=["act"])
    def freeze(self, request: HttpRequest, rows: QuerySet[CreditGrant]) -> None:
        self.act(request, rows, "frozen", lambda row, by, at: freeze_lot(lot=row, frozen=True, at=at, by=by))

    @admin.action(description="Unfreeze", permissions=["act"])
    def unfreeze(self, request: HttpRequest, rows: QuerySet[CreditGrant]) -> None:
        self.act(
            request, rows, "unfrozen", lambda row, by, at: freeze_lot(lot=row, frozen=False, at=at, by=by)
        )


@admin.register(CreditLedgerEntry)
class CreditLedgerEntryAdmin(ReadOnlyAdmin[CreditLedgerEntry]):
    list_display = ("at", "team", "kind", "credits", "grant", "cause")
    list_select_related = ("team", "grant__team")
    list_filter = ("kind",)
    search_fields = ("team__slug", "cause")
    ordering = ("-at", "-id")

    @admin.display(description="Credits")
    def credits(self, entry: CreditLedgerEntry) -> str:
        return credits_text(entry.amount_nanousd)


@admin.register(CreditAccess)
class CreditAccessAdmin(ReadOnlyAdmin[CreditAccess]):
    list_display = ("membership", "allowed", "overflow", "month_cap_nanousd")
    list_select_related = ("membership__user", "membership__team")
    search_fields = ("membership__user__email__contains", "membership__team__slug")
    ordering = ("-membership",)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin[Reservation]):
    list_display = ("id", "team", "model", "estimate", "state", "created_at", "expires_at", "expired")
    list_select_related = ("team",)
    list_filter = ("state",)
    search_fields = ("=id", "=request_id", "team__slug")
    ordering = ("-created_at",)

    @admin.display(description="Estimate")
    def estimate(self, row: Reservation) -> str:
        return usd_text(row.estimate_nanousd)


@admin.register(UsageEvent)
class UsageEventAdmin(ReadOnlyAdmin[UsageEvent]):
    list_display = ("occurred_at", "team", "model", "amount", "quota", "credits", "overrun", "recorded_at")
    list_select_related = ("team",)
    search_fields = ("=id", "=external_id", "team__slug", "=model")
    ordering = ("-occurred_at", "-id")

    @admin.display(description="Price")
    def amount(self, event: UsageEvent) -> str:
        return usd_text(event.amount_nanousd)

    @admin.display(description="From quota")
    def quota(self, event: UsageEvent) -> str:
        return usd_text(event.from_quota_nanousd)

    @admin.display(description="From Credits")
    def credits(self, event: UsageEvent) -> str:
        return credits_text(event.from_credits_nanousd)

    @admin.display(description="Overrun")
    def overrun(self, event: UsageEvent) -> str:
        return usd_text(event.overrun_nanousd)


@admin.register(ClosedWindow)
class ClosedWindowAdmin(ReadOnlyAdmin[ClosedWindow]):
    list_display = ("seat", "team", "name", "starts_at", "ends_at", "used_nanousd", "limit_nanousd")
    list_select_related = ("seat", "team")
    search_fields = ("=seat__id", "team__slug")
    ordering = ("-starts_at", "-id")


@admin.register(SeatRequest)
class SeatRequestAdmin(ReadOnlyAdmin[SeatRequest]):
    list_display = ("membership", "plan_code", "created_at", "closed_at", "granted")
    list_select_related = ("membership__user", "membership__team")
    search_fields = ("membership__user__email__contains", "team__slug")
    ordering = ("-id",)
