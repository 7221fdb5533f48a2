"""/models: what the platform's models are called and what they cost, for everyone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from quota.api.receipts import PriceUsedSerializer
from quota.pricing import ModelPrices
from quota.selectors.rate_cards import models_in_force
from quota.stored_json import moment_json, prices_json
from tokenplan.kit.api import Shape


class ModelSerializer(Shape):
    model = serializers.CharField()
    aliases = serializers.ListField(child=serializers.CharField(), help_text="Other names of the model.")
    modality = serializers.CharField()
    meters = serializers.ListField(child=serializers.CharField())
    prices = PriceUsedSerializer(many=True, help_text="More than one of a meter: by the size of the input.")


class ModelListSerializer(Shape):
    effective_from = serializers.DateTimeField(allow_null=True, help_text="Null: there is no rate card.")
    models = ModelSerializer(many=True)


def model_json(model: ModelPrices, aliases: list[str]) -> dict[str, Any]:
    return {
        "model": model.model,
        "aliases": aliases,
        "modality": model.modality,
        "meters": model.meters,
        "prices": prices_json(model.prices),
    }


def card_answer(
    request: Request, shape: Callable[[ModelPrices, list[str]], dict[str, Any]], at: datetime
) -> HttpResponseBase:
    """The rate card in force with each model in this shape, and its ETag; 304 for whoever has it already."""
    listed = models_in_force(at)
    etag = f'"{listed.card_id or "none"}"'
    body = {
        "effective_from": moment_json(listed.card.effective_from) if listed.card else None,
        "models": [shape(model, aliases) for model, aliases in listed.models],
    }
    answer = Response(body, headers={"ETag": etag})
    patch_cache_control(answer, no_cache=True)
    found = get_conditional_response(request._request, etag=etag, response=answer)
    return answer if found is None else found


class Models(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="models",
        responses={200: ModelListSerializer},
        summary="The models and what they cost",
        description="Amounts are whole nano-dollars. No credential is needed. With `If-None-Match` the "
        "answer is 304 while the rate card is the same.",
    )
    def get(self, request: Request) -> HttpResponseBase:
        return card_answer(request, model_json, timezone.now())
