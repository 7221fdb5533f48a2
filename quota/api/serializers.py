"""The shapes of what gateways and key holders are answered. For the OpenAPI document, and for lists."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from quota.answers import window_answer
from quota.api.shapes import receipt_answer
from quota.models import UsageEvent
from quota.windows import QuotaWindow
from tokenplan.kit.api import Shape

METERS = serializers.DictField(child=serializers.IntegerField(min_value=0), help_text="Meter to quantity.")
NANOUSD = "Whole nano-dollars (10^-9 USD)."


class ReleaseSerializer(Shape):
    at = serializers.DateTimeField()
    nanousd = serializers.IntegerField()


class WindowSerializer(serializers.Serializer[QuotaWindow]):
    """A quota window now."""

    name = serializers.CharField()
    policy = serializers.ChoiceField(["rolling", "fixed", "first_use"])
    length_seconds = serializers.IntegerField()
    limit_nanousd = serializers.IntegerField()
    used_nanousd = serializers.IntegerField()
    held_nanousd = serializers.IntegerField(help_text="Held for calls that are under way.")
    remaining_nanousd = serializers.IntegerField()
    used_percent = serializers.FloatField()
    starts_at = serializers.DateTimeField()
    resets_at = serializers.DateTimeField(help_text="When all that counts now will have been released.")
    next_release = ReleaseSerializer(
        allow_null=True, help_text="Of a rolling window in which something counts."
    )

    def to_representation(self, instance: QuotaWindow) -> dict[str, Any]:
        return window_answer(instance)


class AskSerializer(Shape):
    request_id = serializers.CharField(max_length=128)
    key = serializers.CharField(help_text="The Subscription Key of the caller, `sk-cp-…`.")
    model = serializers.CharField(max_length=100)
    estimate = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        help_text="The most that the call may use: meter to quantity.",
    )
    agent = serializers.CharField(max_length=64, required=False, allow_null=True)


class AuthorizationSerializer(Shape):
    reservation = serializers.UUIDField()
    expires_at = serializers.DateTimeField()
    estimate_nanousd = serializers.IntegerField(help_text=NANOUSD)
    from_quota_nanousd = serializers.IntegerField()
    from_credits_nanousd = serializers.IntegerField()
    team = serializers.CharField()
    plan = serializers.CharField(allow_null=True)
    windows = WindowSerializer(many=True)


class UsageBodySerializer(Shape):
    usage = METERS


class ReleasedSerializer(Shape):
    reservation = serializers.UUIDField()
    state = serializers.ChoiceField(["released"])


class PriceUsedSerializer(Shape):
    meter = serializers.CharField()
    unit_size = serializers.IntegerField()
    nanousd_per_unit = serializers.IntegerField()
    context_over = serializers.IntegerField(
        help_text="The input-size tier: for calls with more input than that."
    )


class ReceiptSerializer(serializers.Serializer[UsageEvent]):
    """A charge, for good. The three parts add up to the amount."""

    id = serializers.UUIDField()
    model = serializers.CharField()
    modality = serializers.CharField()
    agent = serializers.CharField()
    usage = serializers.DictField(child=serializers.IntegerField())
    amount_nanousd = serializers.IntegerField(help_text=NANOUSD)
    from_quota_nanousd = serializers.IntegerField()
    from_credits_nanousd = serializers.IntegerField()
    overrun_nanousd = serializers.IntegerField(help_text="What neither quota nor Credits had room for.")
    prices = PriceUsedSerializer(many=True)
    windows_before = WindowSerializer(many=True)
    windows_after = WindowSerializer(many=True)
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()

    def to_representation(self, instance: UsageEvent) -> dict[str, Any]:
        return receipt_answer(instance)


class SettlementRowSerializer(Shape):
    reservation = serializers.UUIDField()
    usage = METERS


class SettlementsSerializer(Shape):
    settlements = SettlementRowSerializer(many=True, help_text="Up to 1,000.")


class EventRowSerializer(Shape):
    id = serializers.CharField(max_length=128, help_text="The gateway's own; counts once.")
    key = serializers.CharField()
    model = serializers.CharField(max_length=100)
    usage = METERS
    occurred_at = serializers.DateTimeField(help_text="Up to 7 days back, 5 minutes ahead.")
    agent = serializers.CharField(max_length=64, required=False, allow_null=True)


class EventsSerializer(Shape):
    events = EventRowSerializer(many=True, help_text="Up to 1,000.")


class RejectedSerializer(Shape):
    index = serializers.IntegerField()
    id = serializers.CharField(allow_null=True)
    code = serializers.CharField()
    detail = serializers.CharField()
    pointer = serializers.CharField(required=False, help_text="The wrong field, within the row.")


class BulkSerializer(Shape):
    """All that was accepted is durable."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = RejectedSerializer(many=True)


class UsageTeamSerializer(Shape):
    slug = serializers.CharField()
    name = serializers.CharField()


class UsageSeatSerializer(Shape):
    plan = serializers.CharField()
    name = serializers.CharField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Null: until further notice.")
    renews_at = serializers.DateTimeField(
        allow_null=True, help_text="When the next paid period begins; null where none is to."
    )


class AgentsSerializer(Shape):
    active = serializers.IntegerField()
    guideline = serializers.ListField(
        child=serializers.IntegerField(), min_length=2, max_length=2, allow_null=True
    )
    enforced = serializers.BooleanField()


class UsageCreditsSerializer(Shape):
    """Credits, as decimal strings."""

    access = serializers.BooleanField()
    balance = serializers.CharField()
    usable = serializers.CharField(help_text="What this member could still draw now.")
    overflow = serializers.ChoiceField(["allow", "never"])
    month_cap = serializers.CharField(allow_null=True)
    month_used = serializers.CharField()


class UsageSerializer(Shape):
    """The usage bar."""

    team = UsageTeamSerializer()
    seat = UsageSeatSerializer(allow_null=True)
    suspended = serializers.BooleanField(help_text="The seat waits for a payment.")
    usable = serializers.BooleanField(help_text="Whether a small call would be allowed now.")
    windows = WindowSerializer(many=True)
    agents = AgentsSerializer()
    credits = UsageCreditsSerializer()
