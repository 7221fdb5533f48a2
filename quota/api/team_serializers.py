"""The shapes of what people send and are answered: members and keys."""

from __future__ import annotations

from rest_framework import serializers

from quota.api.fields import CreditsField, PlanSerializer, Shape
from quota.api.people.credits import AccessSerializer
from teams.api.serializers import PersonSerializer


class KeySerializer(Shape):
    """A Subscription Key without its text."""

    prefix = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="Of a replaced key: it works until then."
    )
    revoked_at = serializers.DateTimeField(allow_null=True)


class OwnKeySerializer(KeySerializer):
    """Your key in this Team, and the texts before it that still work."""

    replaced = KeySerializer(many=True)


class RevealSerializer(Shape):
    password = serializers.CharField(
        required=False, max_length=1000, help_text="Not needed within minutes of confirming it on a page."
    )


class ShownKeySerializer(Shape):
    key = serializers.CharField(help_text="The whole text, `sk-cp-…`.")


class RotateSerializer(Shape):
    overlap_seconds = serializers.IntegerField(
        default=0, min_value=0, max_value=86_400, help_text="How long the old text still works, up to a day."
    )


class RevokedSerializer(Shape):
    revoked = serializers.IntegerField(help_text="How many texts worked until now.")


class RosterSerializer(Shape):
    """A member with seat, key and access to Credits; `id` is the membership's."""

    id = serializers.IntegerField(source="membership.pk")
    user = PersonSerializer(source="membership.user")
    role = serializers.CharField(source="membership.role")
    joined_at = serializers.DateTimeField(source="membership.joined_at")
    seat = serializers.IntegerField(source="seat_id", allow_null=True)
    plan = PlanSerializer(allow_null=True)
    key = KeySerializer(allow_null=True)
    credits = AccessSerializer(source="access", allow_null=True)
    month_used = CreditsField(help_text="Credits used in this calendar month, UTC.")


class TokenSerializer(Shape):
    token = serializers.CharField(max_length=200, help_text="What the link in the mail ends with.")
