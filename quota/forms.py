"""What people type on quota's pages. Forms only read it and show it again; services decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from quota.invitation_lines import MOST_LINES
from quota.models import CreditRequest, Plan
from quota.money import credits_text, nanousd_from_credits, nanousd_from_usd, usd_text
from quota.selectors.bulk_actions import Shown as ShownLines
from quota.selectors.seats import PlanCount
from quota.services.seat_requests import MAX_MESSAGE
from teams.models import Role
from teams.services.invitations import Promise
from tokenplan.kit.pages import FilterForm, SearchField


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
    """Whom a seat goes to, by the id of the membership."""

    member = forms.IntegerField(label=_("Member"), min_value=1, max_value=2**63 - 1)


class InvitationForm(forms.Form):
    """Of one person. `plans`: names by code of those whose seat can be promised; `roles`: with which the
    person can be invited.
    """

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    gives_credits = forms.BooleanField(label=_("May use the Team's Credits"), required=False)
    month_cap = CreditsField(
        label=_("At most, a calendar month"), required=False, help_text=_("In Credits. Empty: no cap.")
    )

    def __init__(
        self, plans: Mapping[str, str], roles: Iterable[Role], data: QueryDict | None = None
    ) -> None:
        super().__init__(data)
        named = [(role.value, role.label) for role in roles]
        self.fields["role"] = forms.ChoiceField(label=_("Role"), choices=named)
        choices = [("", _("None")), *plans.items()]
        self.fields["plan"] = forms.ChoiceField(label=_("Seat"), required=False, choices=choices)

    def promise(self) -> Promise:
        """What was typed, once it is valid. A cap alone means Credits up to it."""
        cap = self.cleaned_data["month_cap"]
        gives = self.cleaned_data["gives_credits"] or cap is not None
        return Promise(self.cleaned_data["plan"], gives, cap)


class ManyInvitationsForm(forms.Form):
    """Many people, a line each."""

    lines = forms.CharField(
        label=_("One person a line"),
        max_length=MOST_LINES * 200,
        widget=forms.Textarea(attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false"}),
    )


class CapForm(forms.Form):
    """Of Credits that many members may use from now on."""

    month_cap = CreditsField(
        label=_("At most, a calendar month, each"),
        required=False,
        help_text=_("In Credits. Empty: no cap."),
    )


class PlanForm(forms.Form):
    """A plan of which the Team has seats; `plans` says how many are free."""

    def __init__(self, plans: Iterable[PlanCount], data: QueryDict | None = None) -> None:
        super().__init__(data)
        choices = [
            (
                plan.code,
                ngettext("%(plan)s: %(free)s seat free", "%(plan)s: %(free)s seats free", plan.free)
                % {"plan": plan.name, "free": plan.free},
            )
            for plan in plans
        ]
        self.fields["plan"] = forms.ChoiceField(label=_("Plan"), choices=choices)


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


class OwnCapForm(forms.Form):
    """Cleaned, `month_cap` is the member's own cap: None for no own one, 0 for not without the member."""

    use = forms.ChoiceField(
        label=_("When calls would be paid from Credits"),
        choices=[
            ("any", _("Pay from Credits, as far as I may")),
            ("cap", _("Pay up to my own limit a month")),
            ("none", _("Not without me: refuse the call, and I change this if I want it")),
        ],
        widget=forms.RadioSelect,
    )
    month_cap = CreditsField(
        label=_("My own limit, a calendar month"),
        required=False,
        help_text=_("In Credits; the month is counted in UTC. 1 Credit is $0.001."),
    )

    @staticmethod
    def initial_of(nanousd: int | None) -> dict[str, str]:
        if not nanousd:
            return {"use": "any" if nanousd is None else "none"}
        return {"use": "cap", "month_cap": plain_credits(nanousd)}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("use") != "cap":
            cleaned["month_cap"] = 0 if cleaned.get("use") == "none" else None
            self.errors.pop("month_cap", None)
        elif cleaned.get("month_cap") is None and "month_cap" not in self.errors:
            self.add_error("month_cap", _("Say how many Credits a month."))
        return cleaned


class NoticesForm(forms.Form):
    thresholds = forms.TypedMultipleChoiceField(
        label=_("When so much of a quota window of my seat is used"),
        choices=[("50", _("50%")), ("80", _("80%")), ("95", _("95%")), ("100", _("100%: it is full"))],
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("The highest that is reached is mailed, once in a window. None of them: no such mails."),
    )
    credits_low = forms.BooleanField(
        label=_("When the Credits of a Team run low"),
        required=False,
        help_text=_(
            "For the Owner and the Admins, below the balance that the Team's rules for Credits name."
        ),
    )
    balance_low = forms.BooleanField(
        label=_("When the API balance of a Team runs low"),
        required=False,
        help_text=_("For the Owner and the Admins, where the Team is warned of it."),
    )


class PolicyForm(forms.Form):
    overflow = forms.ChoiceField(
        label=_("When a window of a seat is full"),
        choices=[("allow", _("Go on with Credits, for members who may")), ("never", _("Stop, for everyone"))],
        widget=forms.RadioSelect,
    )
    low_balance = CreditsField(
        label=_("Warn below"), help_text=_("In Credits. The Owner and the Admins get a mail.")
    )


def plain_credits(nanousd: int) -> str:
    """Credits as a person would type them, without trailing zeros."""
    return credits_text(nanousd).rstrip("0").rstrip(".")


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
    """A day from 2000 to 2999: with these, no sum or difference leaves the range of dates. Browsers show a
    day that is written as in ISO 8601, whatever the page's language.
    """

    def __init__(self, **kwargs: Any) -> None:
        within = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))]
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(validators=within, widget=widget, **kwargs)


class DaysForm(FilterForm):
    """Which rows of a list are shown, by two days in UTC, both included; left out, of all days."""

    start = DayField(label=_("From"), required=False)
    end = DayField(label=_("To"), required=False)

    def moments(self) -> tuple[datetime | None, datetime | None]:
        """The start of the first day and the end of the last, where they are given and can be read. Call
        `is_valid` before.
        """
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        return midnight(start) if start else None, midnight(end) + timedelta(days=1) if end else None


class LinesFilterForm(FilterForm):
    """Which lines of a bulk action are shown."""

    q = SearchField(label=_("Person"))
    show = forms.ChoiceField(label=_("Show"), choices=ShownLines.choices, required=False)


class AccessFilterForm(FilterForm):
    """Of whom the access to Credits is shown."""

    q = SearchField(label=_("Name or e-mail address"))


class NewApiKeyForm(ApiKeyForm):
    expires_at = DayField(
        label=_("Works until the end of"), required=False, help_text=_("A day in UTC. Empty: for good.")
    )

    def clean_expires_at(self) -> datetime | None:
        """When it ends, where it does."""
        day: date | None = self.cleaned_data["expires_at"]
        return None if day is None else midnight(day) + timedelta(days=1)


def midnight(day: date) -> datetime:
    """When a day begins (UTC)."""
    return datetime.combine(day, time(), UTC)
