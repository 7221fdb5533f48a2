"""The hot path over HTTP: a gateway asks before each call, and settles or releases after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

import quota.api.schema  # noqa: F401  # tells the OpenAPI document how these views sign in
from quota import errors
from quota.answers import moment, windows_answer
from quota.api import parse
from quota.api.authentication import GatewayAuthentication
from quota.api.relay import relay
from quota.api.schema import RELAYED_PROBLEM
from quota.api.serializers import (
    AskSerializer,
    AuthorizationSerializer,
    ReceiptSerializer,
    ReleasedSerializer,
    UsageBodySerializer,
)
from quota.api.shapes import receipt_answer
from quota.models import Gateway
from quota.services.authorize import authorize
from quota.services.settle import release, settle
from teams.errors import KeyInvalid
from tokenplan.kit.api import JSONAlone
from tokenplan.kit.openapi import refusals
from tokenplan.kit.parsers import BoundedJSONParser
from tokenplan.kit.problems import Problem, problem_of


class SmallJSONParser(BoundedJSONParser):
    """One call is described in far less than 64 KiB."""

    limit = 65_536


class GatewayView(APIView):
    """For a gateway with its credential; anyone else gets 401."""

    authentication_classes = [GatewayAuthentication]
    permission_classes = []
    parser_classes = [SmallJSONParser]
    content_negotiation_class = JSONAlone

    @property
    def gateway(self) -> Gateway:
        return cast(Gateway, self.request.auth)

    def problem(self, error: Exception) -> Problem:
        """The problem document for whatever was raised."""
        return problem_of(error)

    def get_exception_handler(self) -> Callable[[Exception, Mapping[str, Any]], HttpResponse]:
        return lambda error, context: self.problem(error).response()


@contextmanager
def usage_at(pointer: str) -> Iterator[None]:
    """A meter that cannot be priced is named by where the usage stood in the body."""
    try:
        yield
    except errors.InvalidUsage as refusal:
        refusal.pointer = pointer + (refusal.pointer or "")
        raise


class Authorize(GatewayView):
    """`POST gateway/authorize`. Every refusal carries `relay`, what the gateway hands to its caller."""

    request_id = ""

    @extend_schema(
        operation_id="gateway_authorize",
        summary="Ask before a model call",
        description="Holds what the call may cost: quota first, Credits for the rest. The same request_id "
        "with the same body answers as the first time and holds nothing twice.",
        request=AskSerializer,
        responses={
            201: AuthorizationSerializer,
            **refusals(
                KeyInvalid,
                errors.NoUsableResources,
                errors.ModelUnknown,
                errors.InvalidUsage,
                errors.QuotaExhausted,
                errors.TooManyAgents,
                errors.RequestIdReused,
                problem=RELAYED_PROBLEM,
            ),
        },
        tags=["gateway"],
    )
    def post(self, request: Request) -> HttpResponse:
        body = request.data
        ask = parse.ask(body)
        self.request_id = ask.request_id
        with usage_at("/estimate"):
            held = authorize(gateway=self.gateway, ask=ask, at=timezone.now())
        return JsonResponse(
            {
                "reservation": str(held.reservation),
                "expires_at": moment(held.expires_at),
                "estimate_nanousd": held.estimate_nanousd,
                "from_quota_nanousd": held.from_quota_nanousd,
                "from_credits_nanousd": held.from_credits_nanousd,
                "team": held.team,
                "plan": held.plan,
                "windows": held.windows,
            },
            status=201,
        )

    def problem(self, error: Exception) -> Problem:
        problem = super().problem(error)
        extra: dict[str, Any] = {"relay": relay(problem, error, self.request_id)}
        if isinstance(error, errors.QuotaExhausted):
            extra["window"] = error.window.limit.name
            extra["windows"] = windows_answer(error.windows)
            extra["fits_at"] = moment(error.fits_at) if error.fits_at else None
        return replace(problem, extra=extra)


class Settle(GatewayView):
    @extend_schema(
        operation_id="gateway_settle",
        summary="Charge what a call used",
        description="More than was held is recorded all the same. Twice the same is once.",
        request=UsageBodySerializer,
        responses={
            200: ReceiptSerializer,
            **refusals(
                errors.ReservationUnknown,
                errors.AlreadySettled,
                errors.AlreadyReleased,
                errors.InvalidUsage,
            ),
        },
        tags=["gateway"],
    )
    def post(self, request: Request, reservation: UUID) -> HttpResponse:
        usage = parse.usage(request.data)
        with usage_at("/usage"):
            event = settle(gateway=self.gateway, reservation=reservation, usage=usage, at=timezone.now())
        return JsonResponse(receipt_answer(event))


class Release(GatewayView):
    @extend_schema(
        operation_id="gateway_release",
        summary="Let go of what a call held: it was not made",
        request=None,
        responses={
            200: ReleasedSerializer,
            **refusals(errors.ReservationUnknown, errors.AlreadySettled),
        },
        tags=["gateway"],
    )
    def post(self, request: Request, reservation: UUID) -> HttpResponse:
        row = release(gateway=self.gateway, reservation=reservation, at=timezone.now())
        return JsonResponse({"reservation": str(row.pk), "state": row.state})
