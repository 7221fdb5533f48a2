"""What operators type. Services decide; forms only read and remember."""

from __future__ import annotations

from typing import Any

from django import forms

from quota.forms import CreditsField
from quota.models import CreditGrant, CreditLedgerEntry, Plan
from quota.money import nanousd_from_usd, usd_text
from teams.models import Membership, Seat, SeatHolding, Team

UNTIL = "In UTC. Empty: until further notice."


def _moment(label: str, help_text: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})
    return forms.DateTimeField(label=label, help_text=help_text, required=False, widget=widget)


class UsdField(forms.CharField):
    """A dollar amount; cleaned, it is nano-dollars, or None when empty and not required."""

    def clean(self, value: object) -> int | None:
        text = super().clean(value).replace(",", "").replace("$", "")
        if not text:
            return None
        try:
            return nanousd_from_usd(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


class SeatGrantForm(forms.Form):
    """A seat for a Team, and whom to give it to."""

    plan = forms.ModelChoiceField(Plan.objects.sellable().order_by("rank"))
    ends_at = _moment("Until", UNTIL)
    holder = forms.ModelChoiceField(Membership.objects.none(), required=False, empty_label="Nobody yet")
    reason = forms.CharField(max_length=150, help_text="Goes into the audit log.")

    def __init__(self, team: Team, data: Any) -> None:
        super().__init__(data)
        holder = self.fields["holder"]
        if isinstance(holder, forms.ModelChoiceField):
            members = Membership.objects.for_team(team).live().select_related("user", "team")
            holder.queryset = members.exclude(
                pk__in=SeatHolding.objects.for_team(team).current().values("membership")
            )


class EntitlementForm(forms.Form):
    """Another plan, or another end, for a seat, from now on."""

    plan = forms.ModelChoiceField(Plan.objects.order_by("rank", "-version"))
    ends_at = _moment("Until", UNTIL)
    reason = forms.CharField(max_length=150, help_text="Goes into the audit log.")

    def __init__(self, seat: Seat, data: Any) -> None:
        super().__init__(data)


class ReasonlessForm(forms.Form):
    """Nothing but a question: are you sure?"""

    def __init__(self, row: Any, data: Any) -> None:
        super().__init__(data)


class CreditsGrantForm(forms.Form):
    """A lot of Credits for a Team."""

    credits = CreditsField(label="Credits")
    expires_at = _moment("Expires", "In UTC. Empty: in 365 days.")
    reason = forms.CharField(max_length=150, help_text="Goes into the ledger and the audit log.")

    def __init__(self, team: Team, data: Any) -> None:
        super().__init__(data)


class LotChangeForm(forms.Form):
    """A refund takes from a lot what was paid back; an adjustment corrects it either way."""

    kind = forms.ChoiceField(
        choices=[
            (CreditLedgerEntry.Kind.REFUND.value, "Refund: take"),
            (CreditLedgerEntry.Kind.ADJUSTMENT.value, "Adjustment: give or take"),
        ]
    )
    credits = CreditsField(label="Credits", help_text="With a minus to take.")
    cause = forms.CharField(max_length=200, help_text="Goes into the ledger and the audit log.")

    def __init__(self, lot: CreditGrant, data: Any) -> None:
        super().__init__(data)


class GatewayForm(forms.Form):
    name = forms.CharField(max_length=100)


class PlanVersionForm(forms.Form):
    """What a new version changes. Its windows stay the same kind; a field each says how much."""

    name = forms.CharField(max_length=50)
    agents_min = forms.IntegerField(label="Agents at once, from", min_value=1, max_value=1000)
    agents_max = forms.IntegerField(label="Agents at once, to", min_value=1, max_value=1000)
    agents_enforced = forms.BooleanField(label="Refuse calls of more agents than that", required=False)

    def __init__(self, plan: Plan, data: Any) -> None:
        names = ("name", "agents_min", "agents_max", "agents_enforced")
        initial = {name: getattr(plan, name) for name in names}
        limits = list(plan.limits.all())
        initial |= {f"limit_{limit.name}": usd_text(limit.limit_nanousd) for limit in limits}
        super().__init__(data, initial=initial)
        for limit in limits:
            self.fields[f"limit_{limit.name}"] = UsdField(label=f"Quota of {limit.name}, in dollars")

    def clean(self) -> None:
        low, high = self.cleaned_data.get("agents_min"), self.cleaned_data.get("agents_max")
        if low and high and low > high:
            self.add_error("agents_max", "The guideline ends at or above where it begins.")
