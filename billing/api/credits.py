"""/teams/{slug}/credits/purchases and /auto-top-up: buying Credits. The pool is on the floor below."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.api.credit_serializers import (
    AutoTopUpSerializer,
    BuyCreditsSerializer,
    PurchaseSerializer,
    TopUpStateSerializer,
)
from billing.api.views import BillingView
from billing.selectors.purchases import purchases_of
from billing.selectors.top_ups import top_up_state
from billing.services.top_ups import set_auto_top_up
from billing.workflows.buying import buy_credits, packs_of
from tokenplan.kit.api import checked
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import Cursor


class NewestPurchase(Cursor):
    ordering = ("-created_at", "-id")


class Purchases(BillingView):
    pagination_class = NewestPurchase

    @extend_schema(
        operation_id="credit_purchases",
        responses={200: PurchaseSerializer(many=True)},
        summary="Purchases of Credits, the latest first",
    )
    def get(self, request: Request, slug: str) -> Response:
        return self.page(purchases_of(self.team), PurchaseSerializer)

    @extend_schema(
        operation_id="credit_purchase",
        request=BuyCreditsSerializer,
        responses={
            201: PurchaseSerializer,
            **refusals(
                errors.NotOnSale, errors.ChangeInProgress, errors.StripeRefused, errors.PaymentsUnavailable
            ),
        },
        summary="Buy Credits",
        description="It is paid at `checkout.url`. A Team has one such page open: the same amount again "
        "gives the same one, another ends it.",
    )
    def post(self, request: Request, slug: str) -> Response:
        packs = packs_of(checked(BuyCreditsSerializer, request)["credits"])
        checkout = buy_credits(team=self.team, packs=packs, at=timezone.now(), by=self.person)
        return Response(PurchaseSerializer(purchases_of(self.team).get(checkout=checkout)).data, status=201)


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
