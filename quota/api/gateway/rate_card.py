"""`GET gateway/rate-card`: what a gateway needs to know of the models before it asks."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from quota.api.fields import NANOUSD
from quota.api.gateway.base import GatewayView
from quota.api.model_list import ModelSerializer, card_answer, model_json
from quota.pricing import ModelPrices
from tokenplan.kit.api import Shape


class GatewayModelSerializer(ModelSerializer):
    default_hold_nanousd = serializers.IntegerField(
        allow_null=True, help_text=f"Held for a call that gives no estimate; null: it has to. {NANOUSD}"
    )


class RateCardSerializer(Shape):
    effective_from = serializers.DateTimeField(allow_null=True, help_text="Null: there is no rate card.")
    models = GatewayModelSerializer(many=True)


class GatewayRateCard(GatewayView):
    @extend_schema(
        operation_id="gateway_rate_card",
        summary="The rate card in force",
        description="Models with their aliases, prices and default holds. With `If-None-Match` the answer is "
        "304 while the card is the same.",
        responses={200: RateCardSerializer},
        tags=["gateway"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        return card_answer(request, _with_default_hold, timezone.now())


def _with_default_hold(model: ModelPrices, aliases: list[str]) -> dict[str, Any]:
    return {**model_json(model, aliases), "default_hold_nanousd": model.default_hold}
