"""What people type on quota's pages. Forms only read it and show it again; services decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.models import CreditRequest, Plan
from quota.money import nanousd_from_credits, nanousd_from_usd, usd_text
from quota.selectors.usage_filter import Payer
from quota.selectors.usage_series import Group
from quota.services.seat_requests import MAX_MESSAGE
from teams.models import Membership

LONGEST_RANGE = timedelta(days=366)
LONGEST_BY_HOUR = timedelta(days=7)
# Before today, unless asked otherwise.
DAYS_SHOWN = timedelta(days=29)


class AmountField(forms.CharField):
    """A decimal amount; cleaned, it is nano-dollars, or None when empty and not required."""

    def __init__(self, **kwargs: object) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(max_length=30, widget=widget, **kwargs)  # type: ignore[arg-type]

    def clean(self, value: object) -> int | None:
        text = super().clean(value).replace(",", "").replace(" ", "")
        return self.read(text) if text else None

    def read(self, text: str) -> int:
        raise NotImplementedError


class CreditsField(AmountField):
    """A number of Credits."""

    def read(self, text: str) -> int:
        try:
            return nanousd_from_credits(text)
        except ValueError:
            raise forms.ValidationError(_("Give a number of Credits with at most 6 decimals.")) from None


class UsdField(AmountField):
    """An amount in dollars, with or without the sign."""

    def read(self, text: str) -> int:
        try:
            return nanousd_from_usd(text.replace("$", "", 1))
        except ValueError:
            raise forms.ValidationError(
                _("Give an amount in dollars, such as 25 or 0.50, with at most 9 decimals.")
            ) from None


class SeatRequestForm(forms.Form):
    """`plans` are those that may be asked for."""

    message = forms.CharField(label=_("Why"), max_length=MAX_MESSAGE, required=False)

    def __init__(self, plans: Iterable[Plan], data: QueryDict | None = None) -> None:
        super().__init__(data)
        choices = [(plan.code, plan.name) for plan in plans]
        self.fields = {"plan_code": forms.ChoiceField(label=_("Plan"), choices=choices), **self.fields}


class CreditRequestForm(forms.Form):
    wanted = CreditsField(
        label=_("Credits a calendar month"),
        required=False,
        help_text=_("1 Credit is $0.001. Empty: whoever answers decides."),
    )
    message = forms.CharField(label=_("Why"), max_length=MAX_MESSAGE, required=False)


class AssignForm(forms.Form):
    """Whom a seat goes to: `members` are those who may hold it."""

    def __init__(self, members: Iterable[Membership], data: QueryDict | None = None) -> None:
        super().__init__(data)
        choices = [(member.pk, member.user.display_name) for member in members]
        self.fields["member"] = forms.TypedChoiceField(label=_("Member"), choices=choices, coerce=int)


class AccessForm(forms.Form):
    allowed = forms.BooleanField(label=_("May use the Team's Credits"), required=False)
    overflow = forms.ChoiceField(
        label=_("When a window of the seat is full"),
        choices=[("allow", _("Go on with Credits")), ("never", _("Stop"))],
    )
    month_cap = CreditsField(
        label=_("At most, a calendar month"),
        required=False,
        help_text=_("In Credits. Empty: no cap of this member's own."),
    )


class GrantCreditsForm(forms.Form):
    """Which access to Credits the answer to a request gives; a page has one of these for each request."""

    overflow = AccessForm.base_fields["overflow"]
    month_cap = AccessForm.base_fields["month_cap"]

    def __init__(
        self, request: CreditRequest, data: QueryDict | None = None, initial: dict[str, str] | None = None
    ) -> None:
        super().__init__(data, initial=initial, auto_id=f"id_{request.pk}_%s")


class PolicyForm(forms.Form):
    overflow = forms.ChoiceField(
        label=_("When a window of a seat is full"),
        choices=[("allow", _("Go on with Credits, for members who may")), ("never", _("Stop, for everyone"))],
        widget=forms.RadioSelect,
    )
    low_balance = CreditsField(
        label=_("Warn below"), help_text=_("In Credits. The Owner and the Admins get a mail.")
    )


def plain_usd(nanousd: int | None) -> str:
    """Dollars as a person would type them; empty for None."""
    return "" if nanousd is None else usd_text(nanousd).removeprefix("$").replace(",", "")


class ApiKeyForm(forms.Form):
    plain = staticmethod(plain_usd)

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("What the key is for."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    month_cap_nanousd = UsdField(
        label=_("At most, a calendar month"), required=False, help_text=_("In dollars. Empty: no cap.")
    )


class BalanceAlertForm(forms.Form):
    plain = staticmethod(plain_usd)

    enabled = forms.BooleanField(label=_("Warn of a low API balance"), required=False)
    low_balance_nanousd = UsdField(
        label=_("Warn below"), help_text=_("In dollars. The Owner and the Admins get a mail.")
    )


class DayField(forms.DateField):
    """A day from 2000 to 2999: with these, no sum or difference leaves the range of dates."""

    def __init__(self, **kwargs: Any) -> None:
        within = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))]
        super().__init__(validators=within, widget=forms.DateInput(attrs={"type": "date"}), **kwargs)


class NewApiKeyForm(ApiKeyForm):
    expires_at = DayField(
        label=_("Works until the end of"), required=False, help_text=_("A day in UTC. Empty: for good.")
    )

    def clean_expires_at(self) -> datetime | None:
        """When it ends, where it does."""
        day: date | None = self.cleaned_data["expires_at"]
        return None if day is None else _midnight(day) + timedelta(days=1)


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
        return _midnight(self.cleaned_data["start"]), _midnight(self.cleaned_data["end"]) + timedelta(days=1)

    def offer(self, name: str, choices: Iterable[tuple[str, str]]) -> None:
        """What can be chosen of a field, beside everything and what has been chosen already."""
        offered = dict(choices)
        if chosen := self.cleaned_data[name]:
            offered.setdefault(chosen, chosen)
        self.fields[name].widget.choices = [("", gettext("All")), *sorted(offered.items())]


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


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
