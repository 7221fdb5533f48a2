"""/teams/{slug}/credits/purchases: buying Credits. The pool itself is answered by `quota`."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.api.purchase_serializers import BuyCreditsSerializer, PurchaseSerializer
from billing.api.views import PROMOTION_REFUSALS, BillingView
from billing.selectors.purchases import purchases_of
from billing.workflows.checkouts import buy_credits, packs_of
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
                errors.NotOnSale,
                errors.ChangeInProgress,
                errors.StripeRefused,
                errors.PaymentsUnavailable,
                *PROMOTION_REFUSALS,
            ),
        },
        summary="Buy Credits",
        description="It is paid at `checkout.url`. A Team has one such page open: the same amount again "
        "gives the same one, another ends it.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(BuyCreditsSerializer, request)
        checkout = buy_credits(
            team=self.team,
            packs=packs_of(body["credits"]),
            promotion_code=body["promotion_code"],
            at=timezone.now(),
            by=self.person,
        )
        return Response(PurchaseSerializer(purchases_of(self.team).get(checkout=checkout)).data, status=201)
