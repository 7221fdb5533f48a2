"""A receipt as the API answers it: what a call used, at which prices, and who paid."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from quota.api.fields import NANOUSD, WindowSerializer
from quota.hot_path.catalog import prices_then, windows_around
from quota.models import UsageEvent
from quota.querysets import UsageEventQuerySet
from quota.selectors.usage_filter import UsageFilter
from quota.stored_json import moment_json, prices_json, windows_json
from tokenplan.kit.api import Shape
from tokenplan.kit.paging import LatestOfMany

RECEIPTS = (
    "Of all times, unless `from` or `to` is given. With a filter, a page looks through a bounded number of "
    "charges: it may have few rows, even none, while `next` leads on."
)


class LatestCallFirst(LatestOfMany):
    """Receipts: the latest call first."""

    moment = "occurred_at"
    ordering = ("-occurred_at", "-id")


def receipts_page(
    events: UsageEventQuerySet, wanted: UsageFilter, request: Request, view: APIView
) -> Response:
    """A page of receipts: of these events, those that are asked for."""
    paginator = LatestCallFirst()
    paginator.among = wanted.among(events)
    page = paginator.paginate_queryset(wanted.charges(events), request, view) or []
    return paginator.get_paginated_response([receipt_json(event) for event in page])


def receipt_json(event: UsageEvent) -> dict[str, Any]:
    """A receipt (docs/api.md). Windows and prices are those of the charge."""
    before, after = windows_around(event)
    return {
        "id": str(event.pk),
        "reservation": str(event.reservation_id) if event.reservation_id else None,
        "model": event.model,
        "modality": event.modality,
        "agent": event.agent,
        "tags": event.tags,
        "usage": event.usage,
        "estimated": event.estimated,
        "unpriced": event.unpriced,
        "amount_nanousd": event.amount_nanousd,
        "from_quota_nanousd": event.from_quota_nanousd,
        "from_credits_nanousd": event.from_credits_nanousd,
        "from_balance_nanousd": event.from_balance_nanousd,
        "overrun_nanousd": event.overrun_nanousd,
        "prices": prices_json(prices_then(event.rate_card_id, event.model, event.usage)),
        "windows_before": windows_json(before),
        "windows_after": windows_json(after),
        "occurred_at": moment_json(event.occurred_at),
        "recorded_at": moment_json(event.recorded_at),
        **({"corrects": str(event.corrects_id)} if event.corrects_id else {}),
    }


class PriceUsedSerializer(Shape):
    meter = serializers.CharField()
    unit_size = serializers.IntegerField()
    nanousd_per_unit = serializers.IntegerField()
    context_over = serializers.IntegerField(
        help_text="The input-size tier: for calls with more input than that."
    )


class ReceiptSerializer(serializers.Serializer[UsageEvent]):
    """A charge, for good. The four parts add up to the amount."""

    id = serializers.UUIDField()
    reservation = serializers.UUIDField(
        allow_null=True, help_text="The hold that it was drawn from; null: nobody had asked."
    )
    model = serializers.CharField()
    modality = serializers.CharField()
    agent = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    usage = serializers.DictField(child=serializers.IntegerField())
    estimated = serializers.BooleanField(
        help_text="The gateway did not see all of the usage, and estimated it."
    )
    unpriced = serializers.BooleanField(
        help_text="Something was used of a meter without a price; it is not in the amount."
    )
    amount_nanousd = serializers.IntegerField(help_text=NANOUSD)
    from_quota_nanousd = serializers.IntegerField()
    from_credits_nanousd = serializers.IntegerField()
    from_balance_nanousd = serializers.IntegerField(help_text="Of a call with an API key.")
    overrun_nanousd = serializers.IntegerField(help_text="What nothing of these covered.")
    prices = PriceUsedSerializer(many=True)
    windows_before = WindowSerializer(many=True)
    windows_after = WindowSerializer(many=True)
    occurred_at = serializers.DateTimeField()
    recorded_at = serializers.DateTimeField()
    corrects = serializers.UUIDField(
        required=False,
        help_text="Of a correction alone: the receipt that was wrong. One with negative amounts undoes it, "
        "another charges what is right.",
    )

    def to_representation(self, instance: UsageEvent) -> dict[str, Any]:
        return receipt_json(instance)
