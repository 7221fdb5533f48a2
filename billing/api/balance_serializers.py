"""The shapes of paying into the API balance. All amounts are nano-dollars."""

from __future__ import annotations

from rest_framework import serializers

from billing.api.serializers import CheckoutSerializer, PromotionCodeField
from billing.models import AutoTopUp, CreditPurchase
from quota.api.fields import LARGEST_ID, NANOUSD
from tokenplan.kit.api import Shape


def amount(**other: object) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=LARGEST_ID, **other)  # type: ignore[arg-type]


class TopUpSerializer(Shape):
    amount_nanousd = amount(help_text=f"Whole dollars, from $5 to $1,000. {NANOUSD}")
    promotion_code = PromotionCodeField()


class BalancePurchaseSerializer(serializers.Serializer[CreditPurchase]):
    """A payment into the API balance. While it is `waiting`, `checkout.url` leads to its payment page."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(CreditPurchase.Kind.choices)
    amount_nanousd = serializers.IntegerField(help_text="What is added, and costs before promotions and tax.")
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


class BalanceAutoTopUpSerializer(serializers.Serializer[AutoTopUp]):
    """Below the threshold, the balance is filled up to the target, at most the cap a calendar month (UTC)."""

    enabled = serializers.BooleanField()
    threshold_nanousd = amount()
    target_nanousd = amount()
    month_cap_nanousd = amount()


class FailedBalanceTopUpSerializer(serializers.Serializer[CreditPurchase]):
    amount_nanousd = serializers.IntegerField()
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()


class BalanceTopUpStateSerializer(Shape):
    """Auto top-up as it is set, or as it is suggested while it was never set, and what became of it."""

    enabled = serializers.BooleanField(source="order.enabled")
    threshold_nanousd = serializers.IntegerField(source="order.threshold_nanousd")
    target_nanousd = serializers.IntegerField(source="order.target_nanousd")
    month_cap_nanousd = serializers.IntegerField(source="order.month_cap_nanousd")
    month_paid_nanousd = serializers.IntegerField(
        source="spent_nanousd", help_text="Paid so in this calendar month, UTC."
    )
    failures = serializers.IntegerField(
        source="order.failures", help_text="In a row; after the third it is switched off."
    )
    failed = FailedBalanceTopUpSerializer(
        many=True, help_text="The last three of this month, the latest first."
    )
    is_waiting = serializers.BooleanField(help_text="One is not paid yet.")
    card = serializers.CharField(help_text="The card that is charged, as people know it; empty: none.")
    other_methods = serializers.ListField(
        child=serializers.CharField(), help_text="Payment methods that take days, so they are not charged."
    )
