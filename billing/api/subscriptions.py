"""/teams/{slug}/subscription: what is bought, buying the first seats, and the next invoice. Changing it:
`changes`.
"""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.api.serializers import (
    BuySerializer,
    CheckoutSerializer,
    NextInvoiceSerializer,
    OverviewSerializer,
)
from billing.api.views import PROMOTION_REFUSALS, BillingView
from billing.selectors.overview import overview
from billing.workflows.checkouts import buy_seats
from billing.workflows.next_invoice import next_invoice
from tokenplan.kit.api import checked
from tokenplan.kit.openapi import refusals


class Current(BillingView):
    @extend_schema(
        operation_id="subscription",
        responses=OverviewSerializer,
        summary="The subscription, its seats, and what is under way",
        description="As it was at Stripe when it was last synced; Stripe is not asked.",
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(OverviewSerializer(overview(self.team)).data)


class NextInvoice(BillingView):
    @extend_schema(
        operation_id="next_invoice",
        responses={
            200: NextInvoiceSerializer,
            **refusals(errors.NotSubscribed, errors.PaymentsUnavailable),
        },
        summary="The next invoice, as Stripe would make it now",
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(NextInvoiceSerializer(next_invoice(team=self.team)).data)


class Buy(BillingView):
    @extend_schema(
        operation_id="subscription_checkout",
        request=BuySerializer,
        responses={
            201: CheckoutSerializer,
            **refusals(
                errors.AlreadySubscribed,
                errors.NotOnSale,
                errors.ChangeInProgress,
                errors.StripeRefused,
                errors.PaymentsUnavailable,
                *PROMOTION_REFUSALS,
            ),
        },
        summary="Buy the first seats",
        description="Answers with the payment page, on which a person pays. The same choice again gives the "
        "same page; another one ends the page before.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(BuySerializer, request)
        checkout = buy_seats(team=self.team, at=timezone.now(), by=self.person, **body)
        return Response(CheckoutSerializer(checkout).data, status=201)
