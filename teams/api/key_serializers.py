"""The shapes of what is sent and answered about Subscription Keys."""

from __future__ import annotations

from rest_framework import serializers

from teams.services.keys import DEFAULT_OVERLAP, MAX_OVERLAP
from tokenplan.kit.api import Shape


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
        required=False, max_length=1000, help_text="Not needed within minutes of confirming that it is you."
    )


class ShownKeySerializer(Shape):
    key = serializers.CharField(help_text="The whole text, `sk-cp-…`.")


class RotateSerializer(Shape):
    overlap_seconds = serializers.IntegerField(
        default=int(DEFAULT_OVERLAP.total_seconds()),
        min_value=0,
        max_value=int(MAX_OVERLAP.total_seconds()),
        help_text="How long earlier texts still work at most, up to a day; 0 for a key that has leaked.",
    )


class RevokedSerializer(Shape):
    revoked = serializers.IntegerField(help_text="How many texts worked until now.")
