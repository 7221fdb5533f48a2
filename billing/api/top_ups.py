"""/teams/{slug}/credits/auto-top-up."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.purchase_serializers import AutoTopUpSerializer, TopUpStateSerializer
from billing.api.views import BillingView
from billing.selectors.top_ups import top_up_state
from billing.services.top_ups import set_auto_top_up
from tokenplan.kit.api import checked
from tokenplan.kit.openapi import refusals


class AutoTopUp(BillingView):
    @extend_schema(operation_id="auto_top_up", responses=TopUpStateSerializer, summary="Auto top-up")
    def get(self, request: Request, slug: str) -> Response:
        return Response(TopUpStateSerializer(top_up_state(self.team, timezone.now())).data)

    @extend_schema(
        operation_id="auto_top_up_set",
        request=AutoTopUpSerializer,
        responses={200: TopUpStateSerializer, **refusals()},
        summary="Set auto top-up, or switch it off",
        description="Saving it forgets the failures before.",
    )
    def put(self, request: Request, slug: str) -> Response:
        at = timezone.now()
        body = checked(AutoTopUpSerializer, request)
        set_auto_top_up(team=self.team, at=at, by=self.person, **body)
        return Response(TopUpStateSerializer(top_up_state(self.team, at)).data)
