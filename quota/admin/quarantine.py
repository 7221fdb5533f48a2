"""Reports of gateways that were rejected: an operator replays them or writes them off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError

from quota.admin.advice import IN_QUARANTINE, SEE_DETAIL
from quota.api.gateway import bodies
from quota.models import QuarantinedRow
from quota.services.quarantine import replay_row, write_off_row
from teams.models import User
from tokenplan.kit.admin import ReasonForm, Verb, VerbsAdmin, why_and_what
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.problems import problem_of


class WriteOffForm(ReasonForm):
    reason = forms.CharField(max_length=200, label=_("Reason"), help_text=_("Why it is not charged."))


def _replay(row: QuarantinedRow, why: str, by: User, at: datetime) -> QuarantinedRow:
    """Raises InvalidValue for a row that cannot be read, and what `replay_row` raises."""
    read = bodies.event if row.kind == QuarantinedRow.Kind.EVENT else bodies.settlement
    try:
        parsed = read(row.row)
    except ValidationError as error:
        raise InvalidValue(str(problem_of(error).detail)) from error
    return replay_row(row=row, parsed=parsed, reason=why, at=at, by=by)


def _replayed(row: QuarantinedRow, values: Mapping[str, Any], by: User, at: datetime) -> str:
    _replay(row, values["reason"], by, at)
    return gettext("The row is recorded.")


def _written_off(row: QuarantinedRow, values: Mapping[str, Any], by: User, at: datetime) -> str:
    write_off_row(row=row, reason=values["reason"], at=at, by=by)
    return gettext("The row is written off.")


def _waits(row: QuarantinedRow) -> bool:
    return row.waits


class StateFilter(admin.SimpleListFilter):
    """What waits for an operator, and what became of the others."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("waiting", gettext("Waiting")),
            ("replayed", gettext("Replayed")),
            ("written-off", gettext("Written off")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[QuarantinedRow]) -> QuerySet[QuarantinedRow]:
        return {
            "waiting": queryset.filter(replayed_at=None, written_off_at=None),
            "replayed": queryset.exclude(replayed_at=None),
            "written-off": queryset.exclude(written_off_at=None),
        }.get(self.value() or "", queryset)


@admin.register(QuarantinedRow)
class QuarantinedRowAdmin(VerbsAdmin[QuarantinedRow]):
    list_display = ("received_at", "gateway", "kind", "times", "state", "why")
    list_select_related = ("gateway",)
    list_filter = (StateFilter, "gateway", "kind", "code")
    search_fields = ("=digest", "=code")
    ordering = ("-received_at", "-pk")
    actions = ("replay",)
    verbs = (
        Verb("replay", _("Replay"), ReasonForm, _replayed, fits=_waits),
        Verb("write-off", _("Write off"), WriteOffForm, _written_off, fits=_waits),
    )

    @admin.display(description=_("State"))
    def state(self, row: QuarantinedRow) -> str:
        if row.waits:
            return gettext("waits")
        return gettext("replayed") if row.replayed_at else gettext("written off")

    @admin.display(description=_("Why, and what to do"))
    def why(self, row: QuarantinedRow) -> SafeString:
        advice = IN_QUARANTINE.get(row.code, SEE_DETAIL) if row.waits else gettext("Nothing.")
        return why_and_what(f"{row.detail} ({row.code})", advice)

    @admin.action(description=_("Replay"), permissions=["act"])
    def replay(self, request: HttpRequest, rows: QuerySet[QuarantinedRow]) -> HttpResponse | None:
        return self.act(request, rows, gettext("replayed"), _replay, action="replay")
