"""What the holder of a Subscription Key may see with it: their bar, receipts and usage in this Team."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from quota.api.authentication import KeyAuthentication
from quota.api.receipts import LatestCallFirst, ReceiptSerializer, receipt_json
from quota.api.refused_calls import RefusalsSerializer, of_key
from quota.api.usage_bar import UsageSerializer, usage_bar_json
from quota.api.usage_series import SPAN_PARAMETERS, SeriesSerializer, series_json, span_of
from quota.models import UsageEvent
from quota.selectors.usage_bar import usage_bar
from quota.selectors.usage_series import Group, usage_by
from quota.services.refusals import KEPT_FOR
from teams.errors import KeyInvalid
from teams.models import Membership, SubscriptionKey
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals

REFUSALS = refusals(KeyInvalid)


class KeyView(APIView):
    """For the holder of a working key; anyone else gets 401."""

    authentication_classes = [KeyAuthentication]
    permission_classes = []

    @property
    def membership(self) -> Membership:
        return cast(SubscriptionKey, self.request.auth).membership


class Usage(KeyView):
    @extend_schema(
        operation_id="usage",
        summary="The usage bar",
        responses={200: UsageSerializer, **REFUSALS},
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        return Response(usage_bar_json(usage_bar(self.membership, timezone.now())))


class Receipts(KeyView):
    pagination_class: type[BasePagination] = LatestCallFirst

    @extend_schema(
        operation_id="usage_receipts",
        summary="Receipts of your calls, the latest first",
        responses={200: ReceiptSerializer(many=True), **REFUSALS},
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        paginator = LatestCallFirst()
        events = UsageEvent.objects.filter(membership=self.membership)
        page = paginator.paginate_queryset(events, request, self) or []
        return paginator.get_paginated_response([receipt_json(event) for event in page])


class Receipt(KeyView):
    @extend_schema(
        operation_id="usage_receipt",
        summary="A receipt",
        responses={200: ReceiptSerializer, **refusals(KeyInvalid, NotFound)},
        tags=["usage"],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        event = UsageEvent.objects.filter(membership=self.membership, pk=pk).first()
        if event is None:
            raise NotFound(_("You have no such receipt in this Team."))
        return Response(receipt_json(event))


class Refusals(KeyView):
    @extend_schema(
        operation_id="usage_refusals",
        summary="Why your calls were refused",
        description="Of the last seven days.",
        responses={200: RefusalsSerializer, **REFUSALS},
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        return Response(of_key(cast(SubscriptionKey, request.auth), timezone.now() - KEPT_FOR))


class Series(KeyView):
    @extend_schema(
        operation_id="usage_series",
        summary="Your usage, added up",
        parameters=[*SPAN_PARAMETERS, OpenApiParameter("group", str, enum=["model", "modality"])],
        responses={200: SeriesSerializer, **REFUSALS},
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        span = span_of(request, (Group.MODEL, Group.MODALITY), timezone.now())
        rows = usage_by(self.membership, span.start, span.end, *span.groups)
        return Response(series_json(span, rows))
