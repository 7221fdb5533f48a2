"""/teams/{slug}/invoices and /portal: what was billed, and Stripe's page for it."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.api.serializers import InvoiceSerializer, LinkSerializer
from billing.api.views import BillingView
from billing.models import Invoice
from billing.workflows.customers import portal_url
from teams.errors import ReauthenticationRequired
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import Cursor


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
        return self.page(Invoice.objects.for_team(self.team).shown(), InvoiceSerializer)


class Portal(BillingView):
    proof = frozenset({"POST"})

    @extend_schema(
        operation_id="portal",
        request=None,
        responses={
            200: LinkSerializer,
            **refusals(errors.StripeRefused, errors.PaymentsUnavailable, ReauthenticationRequired),
        },
        summary="A link to Stripe's page for cards and invoices",
        description="It is good for a few minutes, for whoever has it. Needs a recent confirmation "
        "that it is you; an access token has none.",
    )
    def post(self, request: Request, slug: str) -> Response:
        return Response({"url": portal_url(team=self.team, at=timezone.now())})
