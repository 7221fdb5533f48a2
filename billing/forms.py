"""What people choose on the pages of buying. Workflows decide what is allowed; forms only parse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.change_requests import MAX_SEATS, ChangeRequest
from billing.models import CreditPurchase, Interval, Invoice
from billing.money import CREDITS_PER_PACK
from billing.selectors.audit import Kind
from billing.selectors.change_requests import KINDS, change_request
from billing.selectors.offers import Offer, months_free
from quota.forms import AmountField, CreditsField, DaysForm, UsdField
from quota.money import usd_text
from tokenplan.kit.pages import SearchField


class AuditFilterForm(DaysForm):
    """Which entries of the audit log are shown; left out, all of them."""

    field_order = ("q", "kind")

    q = SearchField(label=_("Person"))
    kind = forms.ChoiceField(label=_("About"), choices=Kind.choices, required=False)


class PurchasesFilterForm(DaysForm):
    """Which purchases are shown; left out, all of them."""

    field_order = ("state",)

    state = forms.ChoiceField(
        label=_("State"), choices=[("", _("All")), *CreditPurchase.State.choices], required=False
    )


class InvoicesFilterForm(DaysForm):
    """Which invoices are shown; left out, all of them."""

    field_order = ("state",)

    state = forms.ChoiceField(
        label=_("State"), choices=[("", _("All")), *Invoice.Status.choices], required=False
    )


class PromotionField(forms.CharField):
    """A promotion code, as people type it; whether there is one, and for whom, is decided later."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Promotion code"),
            max_length=40,
            required=False,
            widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        )


class SubscribeForm(forms.Form):
    """How many seats of each plan; for a Default Team, the plan of its one seat."""

    def __init__(self, offers: Sequence[Offer], *, one_seat: bool, data: Mapping[str, Any]) -> None:
        """`data` may lack fields: an address such as ?plan=max&interval=year is a whole choice."""
        self.codes = [offer.plan.code for offer in offers]
        self.one_seat = one_seat
        plan = data.get("plan") if data.get("plan") in self.codes else ""
        filled: dict[str, Any] = {
            "interval": data.get("interval") or Interval.MONTH.value,
            "promotion_code": data.get("promotion_code", ""),
        }
        if one_seat:
            filled["plan"] = plan or (self.codes[0] if "plan" not in data and self.codes else "")
        else:
            for code in self.codes:
                filled[f"seats_{code}"] = data.get(f"seats_{code}", "1" if code == plan else "0")
        super().__init__(filled)
        free = months_free(offers)
        yearly = ngettext("Yearly, %(count)s month free", "Yearly, %(count)s months free", free)
        intervals = [
            (Interval.MONTH.value, Interval.MONTH.label),
            (Interval.YEAR.value, yearly % {"count": free} if free else Interval.YEAR.label),
        ]
        self.fields["interval"] = forms.ChoiceField(
            label=_("Pay"), choices=intervals, widget=forms.RadioSelect
        )
        if one_seat:
            label = gettext("%(plan)s: %(month)s a month or %(year)s a year")
            choices = [(offer.plan.code, _with_terms(label, offer)) for offer in offers]
            self.fields["plan"] = forms.ChoiceField(
                label=_("Plan"), choices=choices, widget=forms.RadioSelect
            )
        else:
            for offer in offers:
                self.fields[f"seats_{offer.plan.code}"] = forms.IntegerField(
                    label=_with_terms(gettext("Seats of %(plan)s"), offer),
                    min_value=0,
                    max_value=MAX_SEATS,
                    help_text=_with_terms(gettext("%(month)s a month or %(year)s a year, each."), offer),
                )

        self.fields["promotion_code"] = PromotionField()

    @property
    def seats(self) -> dict[str, int]:
        """Plan code to number, of a valid form."""
        if self.one_seat:
            return {self.cleaned_data["plan"]: 1}
        return {code: self.cleaned_data[f"seats_{code}"] for code in self.codes}


def _with_terms(text: str, offer: Offer) -> str:
    """The text with the plan's name, and what a seat of it costs a month and a year, in its placeholders."""
    month, year = usd_text(offer.month_nanousd), usd_text(offer.year_nanousd)
    return text % {"plan": offer.plan.name, "month": month, "year": year}


class SeatsField(forms.TypedMultipleChoiceField):
    """Ids of seats; whether they exist is decided later."""

    widget = forms.MultipleHiddenInput

    def __init__(self) -> None:
        super().__init__(coerce=int, required=False)

    def valid_value(self, value: object) -> bool:
        return True


class ChangeForm(forms.Form):
    """A change of the subscription, as an address or hidden fields carry it."""

    kind = forms.ChoiceField(choices=[(kind, kind) for kind in KINDS], widget=forms.HiddenInput)
    plan = forms.CharField(max_length=30, required=False, widget=forms.HiddenInput)
    count = forms.IntegerField(required=False, widget=forms.HiddenInput)
    seats = SeatsField()
    interval = forms.CharField(max_length=5, required=False, widget=forms.HiddenInput)

    def change_request(self) -> ChangeRequest:
        """Call it on a valid form that neither cancels nor resumes. Raises NotOnSale, InvalidValue."""
        return change_request(
            kind=self.cleaned_data["kind"],
            plan=self.cleaned_data["plan"],
            count=self.cleaned_data["count"] or 0,
            seats=self.cleaned_data["seats"],
            interval=self.cleaned_data["interval"],
        )


class ConfirmForm(ChangeForm):
    """A change, with what was shown of it: the amount, and the moment from which it was prorated."""

    amount_nanousd = forms.IntegerField(widget=forms.HiddenInput)
    proration_at = forms.DateTimeField(
        required=False, widget=forms.HiddenInput, input_formats=["%Y-%m-%dT%H:%M:%S%z"]
    )


class BuyCreditsForm(forms.Form):
    """An amount and a code. Where only prices are to be shown (`buys` is false), neither is needed."""

    credits = CreditsField(label=_("Credits"))
    promotion_code = PromotionField()

    def __init__(self, data: Mapping[str, Any], *, buys: bool) -> None:
        super().__init__(data)
        self.fields["credits"].required = buys


class TopUpForm(forms.Form):
    """API balance to pay in, and a code; as `BuyCreditsForm`."""

    amount_nanousd = UsdField(label=_("Amount, in dollars"))
    promotion_code = PromotionField()

    def __init__(self, data: Mapping[str, Any], *, buys: bool) -> None:
        super().__init__(data)
        self.fields["amount_nanousd"].required = buys


class AutoTopUpForm(forms.Form):
    """Amounts are Credits."""

    enabled = forms.BooleanField(label=_("Buy Credits automatically"), required=False)
    threshold: AmountField = CreditsField(label=_("When the balance falls below"), help_text=_("In Credits."))
    target: AmountField = CreditsField(
        label=_("Fill it up to"),
        help_text=format_lazy(
            _("In Credits. One payment closes the gap, in whole packs of {pack}."),
            pack=f"{CREDITS_PER_PACK:,}",
        ),
    )
    month_cap: AmountField = CreditsField(
        label=_("At most, a calendar month"),
        help_text=_("In Credits, bought automatically. What you buy yourself does not count."),
    )


class BalanceAutoTopUpForm(AutoTopUpForm):
    """Amounts are dollars."""

    enabled = forms.BooleanField(label=_("Top the API balance up automatically"), required=False)
    threshold = UsdField(label=_("When the balance falls below"), help_text=_("In dollars."))
    target = UsdField(
        label=_("Fill it up to"),
        help_text=_("In dollars. One payment closes the gap, in whole dollars, of at least $5."),
    )
    month_cap = UsdField(
        label=_("At most, a calendar month"),
        help_text=_("In dollars, paid automatically. What you pay in yourself does not count."),
    )
