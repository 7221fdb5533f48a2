"""What people type on quota's pages. Forms only read it and show it again; services decide."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict

from quota.models import Plan
from quota.money import nanousd_from_credits
from quota.services.seat_requests import MAX_MESSAGE
from teams.models import Membership

LONGEST_RANGE = timedelta(days=366)


class CreditsField(forms.CharField):
    """A decimal number of Credits; cleaned, it is nano-dollars, or None when empty and not required."""

    def __init__(self, **kwargs: object) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(max_length=30, widget=widget, **kwargs)  # type: ignore[arg-type]

    def clean(self, value: object) -> int | None:
        text = super().clean(value).replace(",", "").replace(" ", "")
        if not text:
            return None
        try:
            return nanousd_from_credits(text)
        except ValueError:
            raise forms.ValidationError("Give a number of Credits with at most 6 decimals.") from None


class SeatRequestForm(forms.Form):
    """`plans` are those that may be asked for."""

    message = forms.CharField(label="Why", max_length=MAX_MESSAGE, required=False)

    def __init__(self, plans: Iterable[Plan], data: QueryDict | None = None) -> None:
        super().__init__(data)
        choices = [(plan.code, plan.name) for plan in plans]
        self.fields = {"plan_code": forms.ChoiceField(label="Plan", choices=choices), **self.fields}


class AssignForm(forms.Form):
    """Whom a seat goes to: `members` are those who may hold it."""

    def __init__(self, members: Iterable[Membership], data: QueryDict | None = None) -> None:
        super().__init__(data)
        choices = [(member.pk, member.user.display_name) for member in members]
        self.fields["member"] = forms.TypedChoiceField(label="Member", choices=choices, coerce=int)


class AccessForm(forms.Form):
    allowed = forms.BooleanField(label="May use the Team's Credits", required=False)
    overflow = forms.ChoiceField(
        label="When a window of the seat is full",
        choices=[("allow", "Go on with Credits"), ("never", "Stop")],
    )
    month_cap = CreditsField(
        label="At most, a calendar month",
        required=False,
        help_text="In Credits. Empty: no cap of this member's own.",
    )


class PolicyForm(forms.Form):
    overflow = forms.ChoiceField(
        label="When a window of a seat is full",
        choices=[("allow", "Go on with Credits, for members who may"), ("never", "Stop, for everyone")],
        widget=forms.RadioSelect,
    )
    low_balance = CreditsField(
        label="Warn below", help_text="In Credits. The Owner and the Admins get a mail."
    )


def _day(label: str) -> forms.DateField:
    # Far from where the arithmetic of dates ends.
    within = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))]
    return forms.DateField(label=label, validators=within, widget=forms.DateInput(attrs={"type": "date"}))


class RangeForm(forms.Form):
    """Two days in UTC, both included."""

    start = _day("From")
    end = _day("To")

    def clean(self) -> None:
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        if start and end and not start <= end < start + LONGEST_RANGE:
            self.add_error("end", "The range ends on or after its first day, and has at most 366 days.")

    def moments(self) -> tuple[datetime, datetime]:
        """The start of the first day and the end of the last."""
        return _midnight(self.cleaned_data["start"]), _midnight(self.cleaned_data["end"]) + timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
