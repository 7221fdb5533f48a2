"""Of which days, of whom and of what usage is asked for, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.forms import DayField, DaysForm, midnight
from quota.selectors.ledger import KINDS
from quota.selectors.usage_filter import Payer
from quota.selectors.usage_series import Group
from tokenplan.kit.pages import SearchField

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

LONGEST_RANGE = timedelta(days=366)
LONGEST_BY_HOUR = timedelta(days=7)
# Before today, unless asked otherwise.
DAYS_SHOWN = timedelta(days=29)


class ChargesForm(forms.Form):
    """Two days in UTC, both included, and what of their usage is asked for; empty is all of it."""

    FILTERS = ("member", "model", "modality", "tag", "payer")

    start = DayField(label=_("From"))
    end = DayField(label=_("To"))
    member = forms.CharField(
        label=_("Member"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"placeholder": _("Name or address")}),
    )
    model = forms.CharField(label=_("Model"), required=False, max_length=100, widget=forms.Select)
    modality = forms.CharField(label=_("Modality"), required=False, max_length=20, widget=forms.Select)
    tag = forms.CharField(label=_("Tag"), required=False, max_length=100)
    payer = forms.ChoiceField(label=_("Paid from"), choices=[("", _("All")), *Payer.choices], required=False)

    def __init__(self, data: QueryDict, *, of_team: bool, today: date) -> None:
        """Without a range it is of the last 30 days. Members are asked for in a Team's usage alone."""
        usual = {} if "start" in data or "end" in data else {"start": today - DAYS_SHOWN, "end": today}
        super().__init__(data.dict() | usual)
        for name in ("model", "modality"):
            self.offer(name, [])
        if not of_team:
            del self.fields["member"]

    def clean(self) -> None:
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        if start and end and not start <= end < start + LONGEST_RANGE:
            self.add_error(
                "end",
                gettext("The range ends on or after its first day, and has at most %(days)s days.")
                % {"days": LONGEST_RANGE.days},
            )

    @property
    def is_filtered(self) -> bool:
        """Is less than all of the range's usage asked for?"""
        return any(self.cleaned_data.get(name) for name in self.FILTERS)

    def asked(self) -> Iterator[forms.BoundField]:
        """The fields of what is shown, in their order, but for those of the filter."""
        return (field for field in self if field.name not in self.FILTERS)

    def filters(self) -> Iterator[forms.BoundField]:
        return (field for field in self if field.name in self.FILTERS)

    @property
    def moments(self) -> tuple[datetime, datetime]:
        """The start of the first day and the end of the last."""
        return midnight(self.cleaned_data["start"]), midnight(self.cleaned_data["end"]) + timedelta(days=1)

    def offer(self, name: str, choices: Iterable[tuple[str, str]]) -> None:
        """What can be chosen of a field, beside everything and what has been chosen already."""
        offered = dict(choices)
        if chosen := self.data.get(name, "").strip():
            offered.setdefault(chosen, chosen)
        self.fields[name].widget.choices = [("", gettext("All")), *sorted(offered.items())]


class LedgerForm(DaysForm):
    """Which entries of a ledger are shown; left out, all of them. Members are asked for by who sees usage."""

    field_order = ("kind", "member")

    kind = forms.ChoiceField(label=_("Kind"), choices=[("", _("All")), *KINDS.items()], required=False)
    member = forms.CharField(
        label=_("Member"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name or address")}),
    )

    def __init__(self, data: QueryDict, *, sees_usage: bool) -> None:
        super().__init__(data)
        if not sees_usage:
            del self.fields["member"]


class UsageForm(ChargesForm):
    """And how the usage is shown: what each bar of the chart is of, and what it is made of."""

    BY_PAYER = "payer"

    by = forms.ChoiceField(
        label=_("A bar for each"), choices=[(Group.DAY, _("Day")), (Group.HOUR, _("Hour"))]
    )

    def __init__(self, data: QueryDict, *, of_team: bool, today: date) -> None:
        super().__init__(data, of_team=of_team, today=today)
        stacks = [
            (Group.MODEL, _("Model")),
            (Group.MODALITY, _("Modality")),
            (Group.TAG, _("Tag")),
            (self.BY_PAYER, _("Payer")),
        ]
        groups = [(Group.MEMBER, _("Member")), *stacks] if of_team else stacks
        self.fields["group"] = forms.ChoiceField(label=_("Split by"), choices=groups)
        usual = {"by": Group.DAY, "group": groups[0][0]}
        self.data = {**self.data, **{name: self.data.get(name) or usual[name] for name in usual}}

    def clean(self) -> None:
        super().clean()
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        by_hour = self.cleaned_data.get("by") == Group.HOUR
        if start and end and by_hour and end >= start + LONGEST_BY_HOUR:
            self.add_error(
                "by",
                gettext("By the hour a range has at most %(days)s days.") % {"days": LONGEST_BY_HOUR.days},
            )

    @property
    def width(self) -> Group:
        """DAY or HOUR."""
        return Group(self.cleaned_data["by"])

    @property
    def stack(self) -> Group | None:
        """None: by who paid."""
        name = self.cleaned_data["group"]
        return None if name == self.BY_PAYER else Group(name)


class RefusedForm(DaysForm):
    """Which of one's refused calls are shown; left out, all of them."""

    field_order = ("reason", "model")

    reason = forms.ChoiceField(label=_("Why"), required=False)
    model = SearchField(label=_("Model"))

    def __init__(self, data: QueryDict, reasons: Iterable[tuple[str, StrOrPromise]]) -> None:
        """`reasons` that occur: the code of each, and what it means."""
        super().__init__(data)
        self.fields["reason"].choices = [("", _("Every reason")), *reasons]  # type: ignore[attr-defined]
