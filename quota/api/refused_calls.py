"""Refusals as the API answers them: the calls that are remembered, and how many more there were."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

from quota.models import RefusalCount, RefusedCall
from quota.services.refusals import FORGED, REMEMBERED_PER_HOUR
from quota.stored_json import moment_json
from teams import keytext
from teams.models import Membership
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
    keys = calls.values("key")
    return _json(calls, RefusalCount.objects.since(since).filter(key__in=keys))


def of_member(membership: Membership, since: datetime) -> dict[str, Any]:
    """What was refused to any key of the member."""
    counts = RefusalCount.objects.since(since).filter(key__membership=membership)
    return _json(RefusedCall.objects.since(since).filter(membership=membership), counts)


def _json(calls: Any, counts: Any) -> dict[str, Any]:
    return {
        "calls": [
            {
                "request_id": call.request_id,
                "key_handle": keytext.handle(call.key.key_id),
                "gateway": call.gateway.name,
                "model": call.model or None,
                "code": call.code,
                "detail": call.detail,
                "at": moment_json(call.at),
            }
            for call in calls.select_related("key", "gateway").order_by("-at", "-pk")[:MOST_CALLS]
        ],
        "counts": [
            {
                "key_handle": keytext.handle(count.key.key_id),
                "code": count.code,
                "hour": moment_json(count.hour),
                "refused": count.refused,
                "remembered": 0 if count.code == FORGED else min(count.refused, REMEMBERED_PER_HOUR),
            }
            for count in counts.select_related("key").order_by("-hour", "code", "pk")[:MOST_CALLS]
        ],
    }
