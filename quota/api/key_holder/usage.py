"""What the holder of a key may see with it: of a Subscription Key the bar; of either kind its calls."""

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

from quota.api.authentication import EitherKeyAuthentication, KeyAuthentication
from quota.api.receipts import RECEIPTS, LatestCallFirst, ReceiptSerializer, receipt_json, receipts_page
from quota.api.refused_calls import RefusalsSerializer, of_key
from quota.api.usage_bar import UsageSerializer, usage_bar_json
from quota.api.usage_filter import (
    FILTER_PARAMETERS,
    OF_A_LIST,
    OF_SUMS,
    check_names,
    filter_of,
    range_or_ever,
)
from quota.api.usage_series import (
    RANGE_PARAMETERS,
    SPAN_PARAMETERS,
    SeriesSerializer,
    series_json,
    span_of,
)
from quota.errors import ModelUnknown
from quota.models import UsageEvent
from quota.selectors.usage_bar import usage_bar
from quota.selectors.usage_series import Group
from quota.services.refusals import KEPT_FOR
from teams.errors import KeyInvalid
from teams.models import ApiKey, ApiKeyText, Membership, SubscriptionKey
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals

REFUSALS = refusals(KeyInvalid)
FILTER_REFUSALS = refusals(KeyInvalid, ModelUnknown)


class EitherKeyView(APIView):
    """For the holder of a working key of either kind; anyone else gets 401."""

    authentication_classes = [EitherKeyAuthentication]
    permission_classes = []

    @property
    def key(self) -> SubscriptionKey | ApiKeyText:
        return cast("SubscriptionKey | ApiKeyText", self.request.auth)

    @property
    def spender(self) -> Membership | ApiKey:
        """Whose usage the holder sees: the member's in this Team, or the API key's."""
        return self.key.api_key if isinstance(self.key, ApiKeyText) else self.key.membership


class Usage(APIView):
    authentication_classes = [KeyAuthentication]
    permission_classes = []

    @extend_schema(
        operation_id="usage",
        summary="The usage bar",
        responses={200: UsageSerializer, **REFUSALS},
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        membership = cast(SubscriptionKey, request.auth).membership
        return Response(usage_bar_json(usage_bar(membership, timezone.now())))


class Receipts(EitherKeyView):
    pagination_class: type[BasePagination] = LatestCallFirst

    @extend_schema(
        operation_id="usage_receipts",
        summary="Receipts of your calls, the latest first",
        description=RECEIPTS,
        parameters=[*RANGE_PARAMETERS, *FILTER_PARAMETERS],
        responses={200: ReceiptSerializer(many=True), **FILTER_REFUSALS},
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        check_names(request, *OF_A_LIST)
        now = timezone.now()
        wanted = filter_of(request, range_or_ever(request, now), now)
        return receipts_page(UsageEvent.objects.of_spender(self.spender), wanted, request, self)


class Receipt(EitherKeyView):
    @extend_schema(
        operation_id="usage_receipt",
        summary="A receipt",
        responses={200: ReceiptSerializer, **refusals(KeyInvalid, NotFound)},
        tags=["usage"],
    )
    def get(self, request: Request, pk: UUID) -> Response:
        event = UsageEvent.objects.of_spender(self.spender).filter(pk=pk).first()
        if event is None:
            raise NotFound(_("You have no such receipt in this Team."))
        return Response(receipt_json(event))


class Refusals(EitherKeyView):
    @extend_schema(
        operation_id="usage_refusals",
        summary="Why your calls were refused",
        description="Of the last seven days.",
        responses={200: RefusalsSerializer, **REFUSALS},
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        return Response(of_key(self.key, timezone.now() - KEPT_FOR))


class Series(EitherKeyView):
    @extend_schema(
        operation_id="usage_series",
        summary="Your usage, added up",
        parameters=[
            *SPAN_PARAMETERS,
            OpenApiParameter("group", str, enum=["model", "modality", "tag"]),
            *FILTER_PARAMETERS,
        ],
        responses={200: SeriesSerializer, **FILTER_REFUSALS},
        tags=["usage"],
    )
    def get(self, request: Request) -> Response:
        check_names(request, *OF_SUMS)
        now = timezone.now()
        span = span_of(request, (Group.MODEL, Group.MODALITY, Group.TAG), now)
        wanted = filter_of(request, (span.start, span.end), now)
        return Response(series_json(self.spender, span, wanted))
