"""What operators type. Workflows decide what is allowed; forms only parse."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms

from billing.models import Payment
from quota.admin.fields import UsdField
from quota.money import usd_text


def _request() -> forms.UUIDField:
    """Made with the form and kept in it: sending the form twice does its work once."""
    return forms.UUIDField(widget=forms.HiddenInput)


class RefundForm(forms.Form):
    """What is paid back of a payment, all that is left of it unless changed."""

    amount = UsdField(label="Amount, in dollars")
    reason = forms.CharField(max_length=200, help_text="Goes into the audit log. The Owner does not see it.")
    request = _request()

    def __init__(self, payment: Payment, data: Any) -> None:
        super().__init__(data, initial={"amount": usd_text(payment.left_nanousd), "request": uuid4()})


class PromotionForm(forms.Form):
    """A promotion code: a share or an amount off."""

    code = forms.CharField(max_length=40, help_text="What people type: letters, digits and dashes.")
    percent = forms.DecimalField(
        label="Percent off",
        required=False,
        min_value=Decimal("0.01"),
        max_value=Decimal(100),
        max_digits=5,
        decimal_places=2,
        help_text="Or an amount, below; one of the two.",
    )
    amount = UsdField(label="Amount off, in dollars", required=False)
    duration = forms.ChoiceField(
        choices=[
            ("once", "The first invoice"),
            ("repeating", "The invoices of so many months"),
            ("forever", "Every invoice"),
        ],
        help_text="Of a subscription. A purchase of Credits is one invoice.",
    )
    months = forms.IntegerField(required=False, min_value=1, max_value=36, help_text="For so many months.")
    max_redemptions = forms.IntegerField(
        label="At most so many times",
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text="Empty: no end.",
    )
    expires_at = forms.DateTimeField(
        label="Expires",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="In UTC. Empty: never. Who has redeemed it by then keeps the discount.",
    )
    request = _request()

    def __init__(self, data: Any) -> None:
        super().__init__(data, initial={"request": uuid4()})
