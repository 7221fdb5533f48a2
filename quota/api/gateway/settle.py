"""`POST gateway/reservations/{id}/settle` and `…/release`: what became of a call that was authorized."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from quota import errors
from quota.api.fields import METERS
from quota.api.gateway import bodies
from quota.api.gateway.base import GatewayView, usage_at
from quota.api.receipts import ReceiptSerializer, receipt_json
from quota.hot_path.settle import release, settle
from tokenplan.kit.api import Shape
from tokenplan.kit.openapi import refusals


class UsageBodySerializer(Shape):
    usage = METERS


class ReleasedSerializer(Shape):
    reservation = serializers.UUIDField()
    state = serializers.ChoiceField(["released"])


class Settle(GatewayView):
    @extend_schema(
        operation_id="gateway_settle",
        summary="Charge what a call used",
        description="More than was held is recorded all the same. Twice the same is once.",
        request=UsageBodySerializer,
        responses={
            200: ReceiptSerializer,
            **refusals(
                errors.ReservationUnknown,
                errors.AlreadySettled,
                errors.AlreadyReleased,
                errors.InvalidUsage,
            ),
        },
        tags=["gateway"],
    )
    def post(self, request: Request, reservation: UUID) -> HttpResponse:
        usage = bodies.usage(request.data)
        with usage_at("/usage"):
            event = settle(gateway=self.gateway, reservation_id=reservation, usage=usage, at=timezone.now())
        return JsonResponse(receipt_json(event))


class Release(GatewayView):
    @extend_schema(
        operation_id="gateway_release",
        summary="Release what a call held: it was not made",
        request=None,
        responses={
            200: ReleasedSerializer,
            **refusals(errors.ReservationUnknown, errors.AlreadySettled),
        },
        tags=["gateway"],
    )
    def post(self, request: Request, reservation: UUID) -> HttpResponse:
        bodies.nothing(request.data)
        row = release(gateway=self.gateway, reservation_id=reservation, at=timezone.now())
        return JsonResponse({"reservation": str(row.pk), "state": row.state})
