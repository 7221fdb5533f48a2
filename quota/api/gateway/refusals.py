"""`GET gateway/refusals`: why a call was refused."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from quota.api.gateway.base import GatewayView
from quota.api.refused_calls import RefusalsSerializer, of_key, of_request
from quota.hot_path.state import key_of_handle
from quota.services.refusals import KEPT_FOR
from teams.errors import KeyInvalid
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.openapi import refusals


class Refusals(GatewayView):
    @extend_schema(
        operation_id="gateway_refusals",
        summary="Why calls were refused, by request_id or by key",
        description="Of the last seven days. None of it is an answer: whoever asks again is decided anew.",
        parameters=[OpenApiParameter("request_id", str), OpenApiParameter("key_handle", str)],
        responses={200: RefusalsSerializer, **refusals(KeyInvalid, InvalidValue)},
        tags=["gateway"],
    )
    def get(self, request: Request) -> HttpResponse:
        since = timezone.now() - KEPT_FOR
        request_id, handle = (request.query_params.get(name) for name in ("request_id", "key_handle"))
        if (request_id is None) == (handle is None):
            raise InvalidValue(_("Ask by request_id or by key_handle."), pointer="/request_id")
        if handle is not None:
            return JsonResponse(of_key(key_of_handle(handle), since))
        return JsonResponse(of_request(request_id or "", since))
