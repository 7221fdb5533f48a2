"""`POST gateway/authorize`: a gateway asks before each model call."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from quota import errors
from quota.api.fields import NANOUSD, TAGS, WindowSerializer
from quota.api.gateway import bodies
from quota.api.gateway.base import GatewayView, usage_at
from quota.api.gateway.rate_limits import rate_limit_fields
from quota.api.gateway.relay import RELAYED_PROBLEM, relay
from quota.hot_path.authorize import Authorization, authorize
from quota.hot_path.holds import AuthorizeRequest
from quota.services.refusals import remember_refusal
from quota.stored_json import moment_json, windows_json
from teams import keytext
from teams.errors import KeyInvalid
from tokenplan.kit.api import Shape
from tokenplan.kit.errors import Refusal, Unavailable
from tokenplan.kit.openapi import refusals
from tokenplan.kit.problems import UNAVAILABLE, Problem

logger = logging.getLogger(__name__)


class AuthorizeRequestSerializer(Shape):
    request_id = serializers.CharField(max_length=128)
    key = serializers.CharField(help_text="The key of the caller, `sk-cp-…` or `sk-api-…`.")
    model = serializers.CharField(
        max_length=100, required=False, allow_null=True, help_text="Needed, but for a lease."
    )
    estimate = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        help_text="The most that the call may use: meter to quantity. Left out: the model's default hold.",
        required=False,
        allow_null=True,
    )
    agent = serializers.CharField(max_length=64, required=False, allow_null=True)
    tags = TAGS
    hold_nanousd = serializers.IntegerField(
        min_value=1,
        required=False,
        allow_null=True,
        help_text="Instead of model and estimate: a lease, for calls of any model.",
    )
    lifetime_seconds = serializers.IntegerField(
        min_value=10,
        required=False,
        allow_null=True,
        help_text="How long the hold lives. Left out: 15 minutes, of a video 4 hours.",
    )


class AuthorizationSerializer(Shape):
    reservation = serializers.UUIDField()
    state = serializers.ChoiceField(["held"])
    repeated = serializers.BooleanField(help_text="Whether this request was answered before.")
    key_handle = serializers.CharField(
        help_text="Names the key without being a secret: in events, also after a rotation."
    )
    expires_at = serializers.DateTimeField()
    estimate_nanousd = serializers.IntegerField(help_text=NANOUSD)
    from_quota_nanousd = serializers.IntegerField()
    from_credits_nanousd = serializers.IntegerField()
    from_balance_nanousd = serializers.IntegerField(help_text="Of an API key.")
    team = serializers.CharField()
    plan = serializers.CharField(allow_null=True)
    windows = WindowSerializer(many=True)


def authorization_json(held: Authorization) -> dict[str, Any]:
    """An authorization (docs/api.md)."""
    return {
        "reservation": str(held.reservation_id),
        "state": "held",
        "repeated": held.repeated,
        "key_handle": held.key_handle,
        "expires_at": moment_json(held.expires_at),
        "estimate_nanousd": held.estimate_nanousd,
        "from_quota_nanousd": held.from_quota_nanousd,
        "from_credits_nanousd": held.from_credits_nanousd,
        "from_balance_nanousd": held.from_balance_nanousd,
        "team": held.team_slug,
        "plan": held.plan_code,
        "windows": windows_json(held.windows),
    }


class Authorize(GatewayView):
    """`POST gateway/authorize`. Every refusal carries `relay`, what the gateway hands to its caller."""

    request_id = ""

    @extend_schema(
        operation_id="gateway_authorize",
        summary="Ask before a model call",
        description="Holds what the call may cost: quota first, Credits for the rest; of an API key, API "
        "balance. While the hold is open, the same request_id with the same body "
        "answers 200 as the first time and holds nothing twice.",
        request=AuthorizeRequestSerializer,
        responses={
            201: AuthorizationSerializer,
            200: AuthorizationSerializer,
            **refusals(
                KeyInvalid,
                errors.NoUsableResources,
                errors.UsageOwed,
                errors.ModelUnknown,
                errors.InvalidUsage,
                errors.QuotaExhausted,
                errors.LargerThanTheWindow,
                errors.TooManyAgents,
                errors.LeaseNotAllowed,
                errors.RequestIdReused,
                errors.ReservationClosed,
                problem=RELAYED_PROBLEM,
            ),
        },
        tags=["gateway"],
    )
    def post(self, request: Request) -> HttpResponse:
        body = request.data
        parsed = bodies.authorize_request(body)
        self.request_id = parsed.request_id
        try:
            with usage_at("/estimate"):
                held = authorize(gateway=self.gateway, request=parsed, at=self.at)
        except Refusal as refusal:
            self._remember(parsed, refusal)
            raise
        return JsonResponse(
            authorization_json(held),
            status=200 if held.repeated else 201,
            headers=rate_limit_fields(held.windows, timezone.now()),
        )

    def _remember(self, asked: AuthorizeRequest, refusal: Refusal) -> None:
        """For whoever asks why; that it cannot be remembered changes no answer. A text that is no key of ours
        asks the database nothing.
        """
        kind = keytext.kind_of(asked.key_text)
        if kind is None or keytext.key_id_of(asked.key_text, kind) is None:
            return
        try:
            remember_refusal(
                gateway=self.gateway,
                key_text=asked.key_text,
                request_id=asked.request_id,
                model=asked.model,
                refusal=refusal,
                at=timezone.now(),
            )
        except (*UNAVAILABLE, Unavailable):
            logger.warning("A refusal could not be remembered", exc_info=True)

    def problem(self, error: Exception) -> Problem:
        problem = super().problem(error)
        extra: dict[str, Any] = {}
        rate_limits: dict[str, str] = {}
        if isinstance(error, errors.QuotaExhausted | errors.LargerThanTheWindow | errors.TooManyAgents):
            extra["windows"] = windows_json(error.windows)
            rate_limits = rate_limit_fields(error.windows, timezone.now())
        extra["relay"] = relay(problem, error, self.request_id, rate_limits)
        if isinstance(error, errors.QuotaExhausted | errors.LargerThanTheWindow):
            extra["window"] = error.window.limit.name
        if isinstance(error, errors.QuotaExhausted):
            extra["fits_at"] = moment_json(error.fits_at)
        if isinstance(error, errors.ReservationClosed):
            extra |= {"reservation": str(error.reservation_id), "state": error.state}
        return replace(problem, extra=extra, headers={**problem.headers, **rate_limits})
