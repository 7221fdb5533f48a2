"""`POST gateway/reservations/{id}/settle`, `…/draw` and `…/release`: what became of what was allowed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from quota import errors
from quota.api.fields import METERS, TAGS
from quota.api.gateway import bodies
from quota.api.gateway.base import GatewayView, usage_at
from quota.api.receipts import ReceiptSerializer, receipt_json
from quota.hot_path.settle import draw, release, settle
from quota.models import QuarantinedRow
from quota.services.quarantine import RejectedRow
from tokenplan.kit.api import Shape
from tokenplan.kit.errors import Refusal
from tokenplan.kit.openapi import refusals
from tokenplan.kit.problems import problem_of

DRAW_REFUSALS = (
    errors.ReservationUnknown,
    errors.AlreadySettled,
    errors.AlreadyReleased,
    errors.ReportedTooLate,
    errors.MomentOutOfRange,
    errors.ModelUnknown,
    errors.InvalidUsage,
)
STATES = ["held", "settled", "released", "ended", "lapsed"]


class SettleSerializer(Shape):
    usage = METERS
    model = serializers.CharField(
        max_length=100,
        required=False,
        allow_null=True,
        help_text="What really ran. Left out: the authorized model; a lease has none, so it needs this.",
    )
    estimated = serializers.BooleanField(
        required=False, allow_null=True, help_text="The gateway did not see all of the usage."
    )


class DrawSerializer(SettleSerializer):
    id = serializers.CharField(max_length=128, help_text="The gateway's own, unique within the hold.")
    occurred_at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="Of a draw from a lease, between its authorize and its end; left out: now. "
        "A call counts at its authorize.",
    )
    agent = serializers.CharField(max_length=64, required=False, allow_null=True)
    tags = TAGS


class DrawnSerializer(ReceiptSerializer):
    state = serializers.ChoiceField(
        STATES, help_text="Of the hold after it. `ended`: its key or seat has gone, so it holds nothing more."
    )


class ReleasedSerializer(Shape):
    reservation = serializers.UUIDField()
    state = serializers.ChoiceField(["released", "ended"])


class ReportView(GatewayView):
    """A report of usage: what is refused of it is kept for the operator, as a row of settlements is."""

    @contextmanager
    def kept(self, request: Request, reservation: UUID, **more: bool) -> Iterator[None]:
        try:
            yield
        except (Refusal, serializers.ValidationError) as error:
            said = request.data if isinstance(request.data, dict) else {"body": request.data}
            row = {**said, "reservation": str(reservation), **more}
            found = problem_of(error)
            rejected = RejectedRow(row, found.code, str(found.detail))
            self.keep(QuarantinedRow.Kind.SETTLEMENT, [rejected], timezone.now())
            raise


class Settle(ReportView):
    @extend_schema(
        operation_id="gateway_settle",
        summary="Charge what a call used, and close its hold",
        description="More than was held is recorded all the same. Twice the same is once.",
        request=SettleSerializer,
        responses={200: ReceiptSerializer, **refusals(*DRAW_REFUSALS)},
        tags=["gateway"],
    )
    def post(self, request: Request, reservation: UUID) -> HttpResponse:
        with self.kept(request, reservation), usage_at("/usage"):
            report = bodies.settle(request.data)
            drawn = settle(gateway=self.gateway, reservation_id=reservation, report=report, at=self.at)
        return JsonResponse(receipt_json(drawn.event))


class Draw(ReportView):
    @extend_schema(
        operation_id="gateway_draw",
        summary="Charge one call as a part of what is held",
        description="What is held shrinks by it, and the hold stays open. The same draw twice is once.",
        request=DrawSerializer,
        responses={200: DrawnSerializer, **refusals(*DRAW_REFUSALS, errors.EventIdReused)},
        tags=["gateway"],
    )
    def post(self, request: Request, reservation: UUID) -> HttpResponse:
        with self.kept(request, reservation, final=False), usage_at("/usage"):
            report = bodies.draw(request.data)
            drawn = draw(gateway=self.gateway, reservation_id=reservation, report=report, at=self.at)
        return JsonResponse({**receipt_json(drawn.event), "state": drawn.state})


class Release(GatewayView):
    @extend_schema(
        operation_id="gateway_release",
        summary="Let go of what is held, or of what draws have left of it",
        request=None,
        responses={
            200: ReleasedSerializer,
            **refusals(errors.ReservationUnknown, errors.AlreadySettled),
        },
        tags=["gateway"],
    )
    def post(self, request: Request, reservation: UUID) -> HttpResponse:
        bodies.nothing(request.data)
        row = release(reservation_id=reservation, gateway=self.gateway, at=self.at)
        return JsonResponse({"reservation": str(row.pk), "state": row.state})
