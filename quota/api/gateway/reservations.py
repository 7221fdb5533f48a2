"""`gateway/reservations`: holds, read by a gateway that has crashed, or extended while they are open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Sum
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota import errors
from quota.api.fields import NANOUSD
from quota.api.gateway import bodies
from quota.api.gateway.base import GatewayView, usage_at
from quota.api.gateway.settle import STATES
from quota.hot_path.extend import extend
from quota.models import Reservation, UsageEvent
from quota.querysets import ReservationQuerySet
from quota.selectors.usage_series import CALLS
from quota.stored_json import moment_json
from teams.errors import KeyInvalid
from tokenplan.kit.api import Shape
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import Cursor


class ExtendSerializer(Shape):
    lifetime_seconds = serializers.IntegerField(
        required=False, allow_null=True, help_text="From now. A hold never gets shorter."
    )
    estimate = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        required=False,
        allow_null=True,
        help_text="Of a call: the most that it may use. It never gets lower.",
    )
    hold_nanousd = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="Of a lease: what shall be held from now on, beyond what was drawn. It never gets lower.",
    )


class ReservationSerializer(Shape):
    """A hold: what it held, what is left of it, and what was drawn."""

    reservation = serializers.UUIDField()
    request_id = serializers.CharField()
    state = serializers.ChoiceField(STATES)
    team = serializers.CharField()
    model = serializers.CharField(allow_null=True, help_text="Null: a lease.")
    agent = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    estimate_nanousd = serializers.IntegerField(help_text=NANOUSD)
    from_quota_nanousd = serializers.IntegerField()
    from_credits_nanousd = serializers.IntegerField()
    from_balance_nanousd = serializers.IntegerField()
    left_nanousd = serializers.IntegerField(help_text="Still held; 0 when it is not open.")
    drawn_nanousd = serializers.IntegerField(help_text="Charged to it so far.")
    draws = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


def reservations_json(rows: Sequence[Reservation], at: datetime) -> list[dict[str, Any]]:
    """The holds, with what was drawn from each: one query for all of them."""
    of_holds = UsageEvent.objects.of_holds(*(row.pk for row in rows))
    draws = of_holds.filter(team__in={row.team_id for row in rows}).values_list("reservation")
    drawn = {pk: of_hold for pk, *of_hold in draws.annotate(nanousd=Sum("amount_nanousd"), calls=CALLS)}
    return [_reservation_json(row, *drawn.get(row.pk, (0, 0)), at=at) for row in rows]


def _reservation_json(row: Reservation, drawn: int, draws: int, *, at: datetime) -> dict[str, Any]:
    open_still = row.state == Reservation.State.HELD and at < row.holds_until
    return {
        "reservation": str(row.pk),
        "request_id": row.request_id,
        "state": row.state_at(at),
        "team": row.team.slug,
        "model": row.model or None,
        "agent": row.agent,
        "tags": row.tags,
        "estimate_nanousd": row.estimate_nanousd,
        "from_quota_nanousd": row.from_quota_nanousd,
        "from_credits_nanousd": row.from_credits_nanousd,
        "from_balance_nanousd": row.from_balance_nanousd,
        "left_nanousd": row.left_nanousd if open_still else 0,
        "drawn_nanousd": drawn,
        "draws": draws,
        "created_at": moment_json(row.created_at),
        "expires_at": moment_json(row.expires_at),
        "closed_at": moment_json(row.closed_at) if row.closed_at else None,
    }


class OldestHoldFirst(Cursor):
    """Holds in the order in which they were made."""

    ordering = ("created_at", "id")


class ReservationList(GatewayView):
    @extend_schema(
        operation_id="gateway_reservations",
        summary="This gateway's holds that are open, or that have lapsed",
        description="For a gateway that has crashed: what it has asked for and not closed.",
        parameters=[OpenApiParameter("state", str, required=True, enum=["held", "lapsed"])],
        responses={200: ReservationSerializer(many=True), **refusals(InvalidValue)},
        tags=["gateway"],
    )
    def get(self, request: Request) -> Response:
        holds = Reservation.objects.filter(gateway=self.gateway).select_related("team")
        pages = OldestHoldFirst()
        at = timezone.now()
        page = pages.paginate_queryset(self._in_state(holds, request, at), request, self) or []
        return pages.get_paginated_response(reservations_json(page, at))

    def _in_state(self, holds: ReservationQuerySet, request: Request, at: datetime) -> ReservationQuerySet:
        state = request.query_params.get("state")
        if state == "held":
            return holds.filter(state=Reservation.State.HELD, expires_at__gt=at)
        if state == "lapsed":
            return holds.over(at)
        raise InvalidValue(_("Ask for state=held or state=lapsed."), pointer="/state")


class ReservationDetail(GatewayView):
    @extend_schema(
        operation_id="gateway_reservation",
        summary="A hold: its state, and what was drawn from it",
        responses={200: ReservationSerializer, **refusals(errors.ReservationUnknown)},
        tags=["gateway"],
    )
    def get(self, request: Request, reservation: UUID) -> HttpResponse:
        row = Reservation.objects.named(reservation).select_related("team").first()
        if row is None:
            raise errors.ReservationUnknown
        return JsonResponse(reservations_json([row], timezone.now())[0])


class Extend(GatewayView):
    @extend_schema(
        operation_id="gateway_extend",
        summary="Lengthen or raise a hold that is open",
        description="If there is no room, the hold stays as it was.",
        request=ExtendSerializer,
        responses={
            200: ReservationSerializer,
            **refusals(
                KeyInvalid,
                errors.NoUsableResources,
                errors.ReservationUnknown,
                errors.ReservationLapsed,
                errors.AlreadySettled,
                errors.AlreadyReleased,
                errors.InvalidUsage,
                errors.LargerThanTheWindow,
                errors.QuotaExhausted,
            ),
        },
        tags=["gateway"],
    )
    def post(self, request: Request, reservation: UUID) -> HttpResponse:
        extension = bodies.extension(request.data)
        with usage_at("/estimate"):
            row = extend(reservation_id=reservation, extension=extension, gateway=self.gateway, at=self.at)
        return JsonResponse(reservations_json([row], timezone.now())[0])
