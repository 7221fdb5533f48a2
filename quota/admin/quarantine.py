"""Reports of gateways that were rejected: an operator replays them or writes them off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError

from quota.api.gateway import bodies
from quota.models import QuarantinedRow
from quota.services.quarantine import replay_row, write_off_row
from teams.models import User
from tokenplan.kit.admin import Verb, VerbsAdmin
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.problems import problem_of


class NoForm(forms.Form):
    """Nothing needs to be said."""

    def __init__(self, row: QuarantinedRow, data: Any) -> None:
        super().__init__(data)


class WriteOffForm(NoForm):
    reason = forms.CharField(max_length=200, label=_("Reason"), help_text=_("Why it is not charged."))


def _replay(row: QuarantinedRow, by: User, at: datetime) -> QuarantinedRow:
    """Raises InvalidValue for a row that cannot be read, and what `replay_row` raises."""
    read = bodies.event if row.kind == QuarantinedRow.Kind.EVENT else bodies.settlement
    try:
        parsed = read(row.row)
    except ValidationError as error:
        raise InvalidValue(str(problem_of(error).detail)) from error
    return replay_row(row=row, parsed=parsed, at=at, by=by)


def _replayed(row: QuarantinedRow, values: Mapping[str, Any], by: User, at: datetime) -> str:
    _replay(row, by, at)
    return gettext("The row is recorded.")


def _written_off(row: QuarantinedRow, values: Mapping[str, Any], by: User, at: datetime) -> str:
    write_off_row(row=row, reason=values["reason"], at=at, by=by)
    return gettext("The row is written off.")


def _waits(row: QuarantinedRow) -> bool:
    return row.waits


@admin.register(QuarantinedRow)
class QuarantinedRowAdmin(VerbsAdmin[QuarantinedRow]):
    list_display = ("received_at", "gateway", "kind", "code", "detail", "times", "state")
    list_select_related = ("gateway",)
    list_filter = ("gateway", "kind", "code", ("replayed_at", admin.EmptyFieldListFilter))
    search_fields = ("=digest", "=code")
    ordering = ("-received_at", "-pk")
    actions = ("replay",)
    verbs = (
        Verb("replay", _("Replay"), NoForm, _replayed, fits=_waits),
        Verb("write-off", _("Write off"), WriteOffForm, _written_off, fits=_waits),
    )

    @admin.display(description=_("State"))
    def state(self, row: QuarantinedRow) -> str:
        if row.waits:
            return gettext("waits")
        return gettext("replayed") if row.replayed_at else gettext("written off")

    @admin.action(description=_("Replay"), permissions=["act"])
    def replay(self, request: HttpRequest, rows: QuerySet[QuarantinedRow]) -> None:
        self.act(request, rows, gettext("replayed"), _replay)
