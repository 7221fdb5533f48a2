"""Fields and small shapes that bodies and answers of several addresses share."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from quota.money import credits_text, nanousd_from_credits
from quota.stored_json import window_json
from quota.windows import QuotaWindow
from tokenplan.kit.api import Shape

METERS = serializers.DictField(child=serializers.IntegerField(min_value=0), help_text="Meter to quantity.")
TAGS = serializers.ListField(
    child=serializers.CharField(max_length=64), max_length=8, required=False, allow_null=True
)
NANOUSD = "Whole nano-dollars (10^-9 USD)."
LARGEST_ID = 2**63 - 1


@extend_schema_field({"type": "string", "examples": ["12000.000"]})
class CreditsField(serializers.Field[int, str, str, Any]):
    """Credits as a decimal string with up to six decimals; whole nano-dollars inside."""

    default_error_messages = {"invalid": _("Give Credits as a decimal string, such as 1000 or 0.500.")}
    PLAIN = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not self.PLAIN.fullmatch(data):
            self.fail("invalid")
        return nanousd_from_credits(data)

    def to_representation(self, value: int) -> str:
        return credits_text(value)


class MemberIdSerializer(Shape):
    member = serializers.IntegerField(min_value=1, max_value=LARGEST_ID, help_text="A membership's id.")


class PlanSerializer(Shape):
    code = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField()


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
        return window_json(instance)
