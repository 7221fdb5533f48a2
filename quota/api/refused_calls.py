"""Refusals as the API answers them: the calls that are remembered, and how many more there were."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

from quota.models import RefusalCount, RefusedCall
from quota.services.refusals import FORGED, REMEMBERED_PER_HOUR
from quota.stored_json import moment_json
from teams import keytext
from teams.models import KeyText
from teams.services.keys import texts_of_same_key
from tokenplan.kit.api import Shape

MOST_CALLS = 200


class RefusedCallSerializer(Shape):
    request_id = serializers.CharField()
    key_handle = serializers.CharField()
    gateway = serializers.CharField()
    model = serializers.CharField(allow_null=True, help_text="Null: a lease was asked for.")
    code = serializers.CharField()
    detail = serializers.CharField()
    at = serializers.DateTimeField()


class RefusalCountSerializer(Shape):
    key_handle = serializers.CharField()
    code = serializers.CharField()
    hour = serializers.DateTimeField()
    refused = serializers.IntegerField()
    remembered = serializers.IntegerField(help_text="How many of them are listed whole.")


class RefusalsSerializer(Shape):
    calls = RefusedCallSerializer(
        many=True, help_text=f"Of the last seven days, the latest first, up to {MOST_CALLS}."
    )
    counts = RefusalCountSerializer(
        many=True,
        help_text=f"By key, code and hour: of each the first {REMEMBERED_PER_HOUR} are remembered. "
        "`secret_forged` counts texts with the id of the key and another secret.",
    )


def of_request(request_id: str, since: datetime) -> dict[str, Any]:
    """What was refused under this request_id."""
    calls = RefusedCall.objects.since(since).filter(request_id=request_id)
    keys = calls.values("key_public_id")
    return _json(calls, RefusalCount.objects.since(since).filter(key_public_id__in=keys))


def of_key(key: KeyText, since: datetime) -> dict[str, Any]:
    """What was refused to the key, in any of its texts."""
    texts = texts_of_same_key(key).values_list("key_id", flat=True)
    of_texts = {"key_public_id__in": list(texts)}
    calls = RefusedCall.objects.since(since).filter(**of_texts)
    return _json(calls, RefusalCount.objects.since(since).filter(**of_texts))


def _json(calls: Any, counts: Any) -> dict[str, Any]:
    return {
        "calls": [
            {
                "request_id": call.request_id,
                "key_handle": keytext.handle(call.key_public_id),
                "gateway": call.gateway.name,
                "model": call.model or None,
                "code": call.code,
                "detail": call.detail,
                "at": moment_json(call.at),
            }
            for call in calls.select_related("gateway").order_by("-at", "-pk")[:MOST_CALLS]
        ],
        "counts": [
            {
                "key_handle": keytext.handle(count.key_public_id),
                "code": count.code,
                "hour": moment_json(count.hour),
                "refused": count.refused,
                "remembered": 0 if count.code == FORGED else min(count.refused, REMEMBERED_PER_HOUR),
            }
            for count in counts.order_by("-hour", "code", "pk")[:MOST_CALLS]
        ],
    }
