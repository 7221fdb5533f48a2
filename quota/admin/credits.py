"""Lots of both accounts, which an operator corrects or freezes, the ledger, and who has access to Credits."""

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

from quota.admin.columns import in_credits, of_account
from quota.forms import CreditsField, UsdField
from quota.models import Account, CreditAccess, CreditGrant, CreditLedgerEntry, OwedUsage
from quota.services.credits import adjust_lot, freeze_lot
from quota.services.owed import waive_owed_usage
from teams.models import User
from tokenplan.kit.admin import ReadOnlyAdmin, ReasonForm, Verb, VerbsAdmin


class LotChangeForm(forms.Form):
    """A refund takes from a lot what the payer got back; an adjustment corrects it either way."""

    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[
            (CreditLedgerEntry.Kind.REFUND.value, _("Refund: take")),
            (CreditLedgerEntry.Kind.ADJUSTMENT.value, _("Adjustment: give or take")),
        ],
    )
    amount = CreditsField(label=_("Credits"), help_text=_("With a minus to take."))
    cause = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("Goes into the ledger and the audit log.")
    )

    def __init__(self, lot: CreditGrant, data: Any) -> None:
        super().__init__(data)
        if lot.account == Account.BALANCE:
            self.fields["amount"] = UsdField(label=_("Dollars"), help_text=_("With a minus to take."))


def _change_lot(lot: CreditGrant, values: Mapping[str, Any], by: User, at: datetime) -> str:
    lot = adjust_lot(
        lot=lot,
        nanousd=values["amount"],
        kind=CreditLedgerEntry.Kind(values["kind"]),
        cause=values["cause"],
        at=at,
        by=by,
    )
    return gettext("The lot holds %(amount)s now.") % {"amount": lot.words(lot.remaining_nanousd)}


@admin.register(CreditGrant)
class CreditGrantAdmin(VerbsAdmin[CreditGrant]):
    list_display = (
        "id",
        "team",
        "account",
        "amount",
        "left",
        "expires_at",
        "frozen_at",
        "source",
    )
    list_filter = ("account",)
    list_select_related = ("team",)
    search_fields = ("team__slug", "source")
    ordering = ("-id",)
    actions = ("freeze", "unfreeze")
    verbs = (Verb("correct", _("Refund or adjust"), LotChangeForm, _change_lot),)

    @admin.display(description=_("Amount"))
    def amount(self, lot: CreditGrant) -> str:
        return lot.words(lot.amount_nanousd)

    @admin.display(description=_("Left"))
    def left(self, lot: CreditGrant) -> str:
        return lot.words(lot.remaining_nanousd)

    @admin.action(description=_("Freeze: a disputed payment"), permissions=["act"])
    def freeze(self, request: HttpRequest, rows: QuerySet[CreditGrant]) -> HttpResponse | None:
        return self.act(
            request,
            rows,
            gettext("frozen"),
            lambda row, why, by, at: freeze_lot(lot=row, frozen=True, reason=why, at=at, by=by),
            action="freeze",
        )

    @admin.action(description=_("Unfreeze"), permissions=["act"])
    def unfreeze(self, request: HttpRequest, rows: QuerySet[CreditGrant]) -> HttpResponse | None:
        return self.act(
            request,
            rows,
            gettext("unfrozen"),
            lambda row, why, by, at: freeze_lot(lot=row, frozen=False, reason=why, at=at, by=by),
            action="unfreeze",
        )


@admin.register(CreditLedgerEntry)
class CreditLedgerEntryAdmin(ReadOnlyAdmin[CreditLedgerEntry]):
    list_display = ("at", "team", "account", "kind", "amount", "grant", "cause")
    list_select_related = ("team",)
    list_filter = ("account", "kind")
    search_fields = ("team__slug", "cause")
    ordering = ("-at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditLedgerEntry]:
        return super().get_queryset(request).prefetch_related("grant__team")

    @admin.display(description=_("Amount"))
    def amount(self, entry: CreditLedgerEntry) -> str:
        return Account(entry.account).words(entry.amount_nanousd)


@admin.register(CreditAccess)
class CreditAccessAdmin(ReadOnlyAdmin[CreditAccess]):
    list_display = (
        "membership",
        "allowed",
        "overflow",
        in_credits("granted_month_cap_nanousd", _("Cap a month")),
        in_credits("own_month_cap_nanousd", _("Own cap a month")),
    )
    list_select_related = ("membership__user", "membership__team")
    search_fields = ("membership__user__email__contains", "membership__team__slug")
    ordering = ("-membership",)


def _waive(owed: OwedUsage, values: Mapping[str, Any], by: User, at: datetime) -> str:
    waive_owed_usage(owed=owed, reason=values["reason"], at=at, by=by)
    return gettext("Nothing is left to pay of it.")


@admin.register(OwedUsage)
class OwedUsageAdmin(VerbsAdmin[OwedUsage]):
    pk_converter = "uuid"
    list_display = (
        "membership",
        "account",
        of_account("owed_nanousd", _("Owed")),
        of_account("left_nanousd", _("Left to pay")),
        of_account("waived_nanousd", _("Waived")),
    )
    list_select_related = ("membership__user", "membership__team")
    search_fields = ("team__slug", "membership__user__email__contains")
    ordering = ("-left_nanousd",)
    verbs = (Verb("waive", _("Waive what is left"), ReasonForm, _waive),)
