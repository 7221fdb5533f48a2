"""`GET gateway/rate-card`: what a gateway needs to know of the models before it asks."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.fields import NANOUSD
from quota.api.gateway.base import GatewayView
from quota.api.model_list import ModelSerializer, conditional, model_json, models_in_force
from quota.stored_json import moment_json
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
        etag, since, models = models_in_force(timezone.now())
        body = {
            "effective_from": moment_json(since) if since else None,
            "models": [
                {**model_json(model, aliases), "default_hold_nanousd": model.default_hold}
                for model, aliases in models
            ],
        }
        return conditional(request._request, etag, Response(body))
