"""/teams/{slug}/checkouts, invoices and portal: visits to Stripe's pages, and what was billed."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.api.serializers import CheckoutSerializer, InvoiceSerializer, LinkSerializer
from billing.api.views import BillingView
from billing.models import Invoice
from billing.selectors.purchases import visit_of
from billing.workflows import buying
from billing.workflows.looks import look_at_checkout
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import Cursor


class Visit(BillingView):
    """For seats and for Credits alike."""

    @extend_schema(
        operation_id="checkout",
        responses={200: CheckoutSerializer, **refusals(NotFound, errors.PaymentsUnavailable)},
        summary="What became of a visit to the payment page",
        description="Stripe is asked, so it is right whether or not its webhook has come.",
    )
    def get(self, request: Request, slug: str, pk: UUID) -> Response:
        visit = visit_of(self.team, pk)
        if not visit.came_to_nothing():
            look_at_checkout(visit, timezone.now())
            visit.refresh_from_db()
        return Response(CheckoutSerializer(visit).data)

    @extend_schema(
        operation_id="checkout_leave",
        responses={
            200: CheckoutSerializer,
            **refusals(NotFound, errors.ChangeInProgress, errors.PaymentsUnavailable),
        },
        summary="Give up a visit to the payment page",
        description="The page works no more, and nothing is charged. Refused once it was paid.",
    )
    def delete(self, request: Request, slug: str, pk: UUID) -> Response:
        visit = buying.leave_checkout(checkout=visit_of(self.team, pk), at=timezone.now())
        return Response(CheckoutSerializer(visit).data)


class NewestInvoice(Cursor):
    ordering = ("-created_at", "-id")


class Invoices(BillingView):
    pagination_class = NewestInvoice

    @extend_schema(
        operation_id="invoices",
        responses={200: InvoiceSerializer(many=True)},
        summary="Invoices, the latest first",
    )
    def get(self, request: Request, slug: str) -> Response:
        return self.page(Invoice.objects.for_team(self.team).exclude(status="draft"), InvoiceSerializer)


class Portal(BillingView):
    @extend_schema(
        operation_id="portal",
        request=None,
        responses={200: LinkSerializer, **refusals(errors.StripeRefused, errors.PaymentsUnavailable)},
        summary="A link to Stripe's page for cards and invoices",
        description="It is good for a few minutes, for whoever has it.",
    )
    def post(self, request: Request, slug: str) -> Response:
        return Response({"url": buying.portal_url(team=self.team, at=timezone.now())})
