"""What operators type. Workflows decide what is allowed; forms only parse."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models import InviteCampaign, Payment, Promotion
from billing.money import NANOUSD_PER_CENT
from billing.selectors.plan_versions import amounts_of, digest_of
from billing.services.campaigns import MOST_DAYS
from billing.services.promotions import PromotionTerms
from quota.admin.fields import MomentField, UsdField
from quota.models import Plan
from quota.money import usd_text
from tokenplan.kit.admin import ReasonForm


def _request() -> forms.UUIDField:
    """Made with the form and kept in it, so that a form that is sent twice does its work once."""
    return forms.UUIDField(widget=forms.HiddenInput)


class RefundForm(ReasonForm):
    """How much of a payment is refunded; it suggests all that is left of it."""

    amount = UsdField(label=_("Amount, in dollars"))
    request = _request()

    def __init__(self, payment: Payment, data: Any) -> None:
        initial = {"amount": usd_text(payment.left_nanousd), "request": uuid4()}
        super().__init__(payment, data, initial=initial)
        self.fields["reason"].help_text = _("Goes into the audit log. The Owner does not see it.")


class TermsForm(ReasonForm):
    """What a promotion code is for, for whom, from when on, and in which words, in each language."""

    scope = forms.ChoiceField(
        label=_("For"),
        choices=[
            choice for choice in Promotion.Scope.choices if choice[0] not in ("", Promotion.Scope.INVITE)
        ],
    )
    first_purchase = forms.BooleanField(
        label=_("First purchase only"),
        required=False,
        help_text=_("For a Team that has paid for nothing yet."),
    )
    once_a_team = forms.BooleanField(
        label=_("Once a Team"),
        required=False,
        initial=True,
        help_text=_("If not: as often as the Team likes."),
    )
    listed = forms.BooleanField(
        label=_("On the Promotions page"),
        required=False,
        help_text=_("Everyone reads its title, its terms and the code there."),
    )
    starts_at = MomentField(
        label=_("Begins"), help_text=_("In UTC. Empty: at once. Before that moment nobody can use it.")
    )

    def __init__(self, row: Promotion | None, data: Any) -> None:
        initial: dict[str, Any] = {"scope": Promotion.Scope.SEATS}
        if row is not None and row.scope:
            names = ("scope", "first_purchase", "once_a_team", "listed", "starts_at")
            initial = {name: getattr(row, name) for name in names}
        super().__init__(row, data, initial=initial)
        add_words(self, row.words if row else {})


def add_words(form: ReasonForm, said: Mapping[str, Mapping[str, str]]) -> None:
    """Fields for a title and a description in each language of the installation."""
    for language, name in settings.LANGUAGES:
        title = _("Title for people, in %(language)s") % {"language": name}
        text = _("Description for people, in %(language)s") % {"language": name}
        words = said.get(language, {})
        form.fields[f"title_{language}"] = forms.CharField(
            label=title, max_length=80, required=False, initial=words.get("title", "")
        )
        form.fields[f"description_{language}"] = forms.CharField(
            label=text, max_length=400, required=False, initial=words.get("description", "")
        )
    form.ask_why_last()


def words_of(values: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What was typed into the fields of `add_words`."""
    return {
        language: {part: values[f"{part}_{language}"] for part in ("title", "description")}
        for language, _name in settings.LANGUAGES
    }


def terms_of(values: Mapping[str, Any]) -> PromotionTerms:
    """Of a form that was valid."""
    words = words_of(values)
    return PromotionTerms(
        scope=values["scope"],
        first_purchase=values["first_purchase"],
        once_a_team=values["once_a_team"],
        starts_at=values["starts_at"],
        words=words,
        listed=values["listed"],
    )


class PromotionForm(TermsForm):
    """A promotion code that takes off a percentage or an amount."""

    code = forms.CharField(
        label=_("Code"), max_length=40, help_text=_("What people type: letters, digits and dashes.")
    )
    percent = forms.DecimalField(
        label=_("Percent off"),
        required=False,
        min_value=Decimal("0.01"),
        max_value=Decimal(100),
        max_digits=5,
        decimal_places=2,
        help_text=_("Give either a percentage or an amount."),
    )
    amount = UsdField(label=_("Amount off, in dollars"), required=False)
    duration = forms.ChoiceField(
        label=_("Duration"),
        choices=[
            ("once", _("The first invoice")),
            ("repeating", _("The invoices of a number of months")),
            ("forever", _("Every invoice")),
        ],
        help_text=_("Which invoices of a subscription. A purchase of Credits has only one."),
    )
    months = forms.IntegerField(
        label=_("Months"),
        required=False,
        min_value=1,
        max_value=36,
        help_text=_("Only if it is for a number of months."),
    )
    max_redemptions = forms.IntegerField(
        label=_("Maximum number of redemptions"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text=_("Empty: no limit."),
    )
    expires_at = forms.DateTimeField(
        label=_("Expires"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text=_("In UTC. Empty: never. A discount that was redeemed before is kept."),
    )
    request = _request()

    field_order = ("code", "percent", "amount", "duration", "months", "scope")

    def __init__(self, data: Any) -> None:
        super().__init__(None, data)
        self.initial["request"] = uuid4()

    def clean(self) -> None:
        given = [
            self.cleaned_data.get(name) is not None or name in self.errors for name in ("percent", "amount")
        ]
        if not any(given):
            self.add_error("percent", gettext("Give a percentage or an amount."))


def _percent(**about: Any) -> forms.DecimalField:
    return forms.DecimalField(
        min_value=Decimal("0.01"), max_value=Decimal(100), max_digits=5, decimal_places=2, **about
    )


class WordsForm(ReasonForm):
    """What people read of an invite campaign."""

    def __init__(self, row: InviteCampaign, data: Any) -> None:
        super().__init__(row, data)
        add_words(self, row.words)


class CampaignForm(ReasonForm):
    """An invite campaign. What it gives stays as it was said; it can end earlier."""

    off = _percent(label=_("Percent off, for who comes"))
    duration = forms.ChoiceField(
        label=_("Duration"),
        choices=InviteCampaign.Duration.choices,
        initial=InviteCampaign.Duration.FOREVER,
        help_text=_("Of which invoices the share is taken off. It stays on subscriptions after the end."),
    )
    voucher = _percent(label=_("Percent of what was paid, for the inviter"))
    voucher_days = forms.IntegerField(
        label=_("Days that a voucher is good"), initial=90, min_value=1, max_value=MOST_DAYS
    )
    starts_at = MomentField(label=_("Begins"), required=True, help_text=_("In UTC."))
    ends_at = MomentField(
        label=_("Ends"), required=True, help_text=_("In UTC. From then on links bring nothing.")
    )
    request = _request()

    def __init__(self, data: Any) -> None:
        super().__init__(None, data, initial={"request": uuid4()})
        add_words(self, {})


class PlanVersionForm(ReasonForm):
    """What a version changes. Its windows stay the same kind; a field each says how much."""

    name = forms.CharField(label=_("Name"), max_length=50)
    agents_min = forms.IntegerField(label=_("Agents at once, from"), min_value=1, max_value=1000)
    agents_max = forms.IntegerField(label=_("Agents at once, to"), min_value=1, max_value=1000)
    agents_enforced = forms.BooleanField(label=_("Refuse calls of more agents than that"), required=False)

    def __init__(self, plan: Plan, data: Any) -> None:
        names = ("name", "agents_min", "agents_max", "agents_enforced")
        initial = {name: getattr(plan, name) for name in names}
        limits = list(plan.limits.all())
        initial |= {f"limit_{limit.name}": usd_text(limit.limit_nanousd) for limit in limits}
        initial |= {interval: usd_text(amount) for interval, amount in amounts_of(plan).items()}
        super().__init__(plan, data, initial=initial)
        for limit in limits:
            self.fields[f"limit_{limit.name}"] = UsdField(
                label=gettext("Quota of %(limit)s, in dollars") % {"limit": limit.name}
            )
        self.fields["month"] = PriceField(label=_("Price of a seat a month, in dollars"))
        self.fields["year"] = PriceField(label=_("Price of a seat a year, in dollars"))
        self.ask_why_last()

    def clean(self) -> None:
        low, high = self.cleaned_data.get("agents_min"), self.cleaned_data.get("agents_max")
        if low and high and low > high:
            self.add_error("agents_max", gettext("The guideline ends at or above where it begins."))


class PriceField(UsdField):
    """A dollar amount above nothing, in whole cents; cleaned, it is nano-dollars."""

    def clean(self, value: object) -> int | None:
        nanousd = super().clean(value)
        if nanousd is not None and (nanousd == 0 or nanousd % NANOUSD_PER_CENT):
            raise forms.ValidationError(gettext("Give a price above nothing in whole cents."))
        return nanousd


class PublishForm(ReasonForm):
    """Carries what the draft said when it was shown, so that nothing else is published.

    What is not confirmed yet is shown now, whatever an earlier page carried.
    """

    digest = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, plan: Plan, data: Any) -> None:
        if data is not None and "confirmed" not in data:
            data = {"reason": data.get("reason", ""), "digest": digest_of(plan)}
        super().__init__(plan, data)
