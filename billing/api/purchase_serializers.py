"""The shapes of buying Credits. Amounts of Credits are decimal strings, money is nano-dollars."""

from __future__ import annotations

from rest_framework import serializers

from billing.api.serializers import CheckoutSerializer, PromotionCodeField
from billing.models import AutoTopUp, CreditPurchase
from quota.api import fields
from tokenplan.kit.api import Shape


class BuyCreditsSerializer(Shape):
    credits = fields.CreditsField(help_text="A multiple of 5,000, up to 1,000,000.")
    promotion_code = PromotionCodeField()


class PurchaseSerializer(serializers.Serializer[CreditPurchase]):
    """A purchase of Credits. While it is `waiting`, `checkout.url` leads to its payment page."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(CreditPurchase.Kind.choices)
    credits = fields.CreditsField(source="amount_nanousd")
    price_nanousd = serializers.IntegerField(
        source="amount_nanousd", help_text=f"Before promotions and tax. {fields.NANOUSD}"
    )
    total_nanousd = serializers.IntegerField(allow_null=True, help_text="What its invoice says.")
    refunded_nanousd = serializers.IntegerField(allow_null=True, help_text="How much of it was refunded.")
    dispute = serializers.CharField(
        allow_null=True, help_text="open (the lot is frozen), won or lost; else empty."
    )
    state = serializers.ChoiceField(CreditPurchase.State.choices)
    reason = serializers.CharField(help_text="Why it was not paid.")
    lot = serializers.IntegerField(source="lot_id", allow_null=True)
    invoice_number = serializers.CharField(allow_null=True)
    invoice_url = serializers.CharField(allow_null=True)
    checkout = CheckoutSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class AutoTopUpSerializer(serializers.Serializer[AutoTopUp]):
    """Below `threshold`, Credits are bought up to `target`, at most `month_cap` a calendar month (UTC)."""

    enabled = serializers.BooleanField()
    threshold = fields.CreditsField(source="threshold_nanousd")
    target = fields.CreditsField(source="target_nanousd")
    month_cap = fields.CreditsField(source="month_cap_nanousd")


class FailedTopUpSerializer(serializers.Serializer[CreditPurchase]):
    credits = fields.CreditsField(source="amount_nanousd")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()


class TopUpStateSerializer(Shape):
    """Auto top-up as it is set, or as it is suggested while it was never set, and what became of it."""

    enabled = serializers.BooleanField(source="order.enabled")
    threshold = fields.CreditsField(source="order.threshold_nanousd")
    target = fields.CreditsField(source="order.target_nanousd")
    month_cap = fields.CreditsField(source="order.month_cap_nanousd")
    month_bought = fields.CreditsField(
        source="spent_nanousd", help_text="Bought so in this calendar month, UTC."
    )
    failures = serializers.IntegerField(
        source="order.failures", help_text="In a row; after the third it is switched off."
    )
    failed = FailedTopUpSerializer(many=True, help_text="The last three of this month, the latest first.")
    is_waiting = serializers.BooleanField(help_text="One is not paid yet.")
    card = serializers.CharField(help_text="The card that is charged, as people know it; empty: none.")
    other_methods = serializers.ListField(
        child=serializers.CharField(), help_text="Payment methods that take days, so they are not charged."
    )
