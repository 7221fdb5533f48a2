"""/teams/{slug}/checkouts: sessions on Stripe's payment page."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.api.serializers import CheckoutSerializer
from billing.api.views import BillingView
from billing.selectors.checkouts import get_checkout
from billing.sync.checkouts import sync_checkout
from billing.workflows.checkouts import leave_checkout
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals


class Checkout(BillingView):
    """For seats and for Credits alike."""

    @extend_schema(
        operation_id="checkout",
        responses={200: CheckoutSerializer, **refusals(NotFound, errors.PaymentsUnavailable)},
        summary="What became of a checkout session",
        description="Stripe is asked, so it is right whether or not its webhook has come.",
    )
    def get(self, request: Request, slug: str, pk: UUID) -> Response:
        checkout = get_checkout(self.team, pk)
        if not checkout.came_to_nothing():
            sync_checkout(checkout, timezone.now())
            checkout.refresh_from_db()
        return Response(CheckoutSerializer(checkout).data)

    @extend_schema(
        operation_id="checkout_leave",
        responses={
            200: CheckoutSerializer,
            **refusals(NotFound, errors.ChangeInProgress, errors.PaymentsUnavailable),
        },
        summary="Give up a checkout session",
        description="The page works no more, and nothing is charged. Refused once it was paid.",
    )
    def delete(self, request: Request, slug: str, pk: UUID) -> Response:
        checkout = leave_checkout(checkout=get_checkout(self.team, pk), at=timezone.now())
        return Response(CheckoutSerializer(checkout).data)
