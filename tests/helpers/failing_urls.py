"""Views that fail in every way a view can, and the product's failure handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import psycopg_pool
from django.core import exceptions as django_errors
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, UnreadablePostError
from django.urls import URLPattern, path
from rest_framework import exceptions as drf
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from teams.errors import SeatTaken
from tokenplan.kit.errors import InvalidValue, Refusal
from tokenplan.kit.parsers import BoundedJSONParser

handler400 = "tokenplan.kit.problems.bad_request"
handler404 = "tokenplan.kit.problems.not_found"
handler500 = "tokenplan.kit.problems.server_error"


class Unauthorized(Refusal):
    code = "key_invalid"
    status = 401


class Row(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=0)


class Body(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=5)
    rows = Row(many=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["name"] == "none":
            raise serializers.ValidationError("Together they make no sense.")
        return attrs


class Echo(APIView):
    authentication_classes = ()
    permission_classes = ()
    parser_classes = (BoundedJSONParser,)

    def post(self, request: Request) -> Response:
        body = Body(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(body.validated_data)


def raising(make: Callable[[], BaseException]) -> Any:
    class Failing(APIView):
        authentication_classes = ()
        permission_classes = ()

        def get(self, request: Request) -> NoReturn:
            raise make()

    return Failing.as_view()


def plain(make: Callable[[], BaseException]) -> Any:
    def view(request: HttpRequest) -> NoReturn:
        raise make()

    return view


FAILURES: dict[str, Callable[[], BaseException]] = {
    "refusal": SeatTaken,
    "refusal-detail": lambda: InvalidValue("Too large.", pointer="/n"),
    "refusal-401": Unauthorized,
    "refusal-429": lambda: Refusal("Later.", retry_after=30),
    "drf-401": drf.NotAuthenticated,
    "drf-throttled": lambda: drf.Throttled(wait=0.2),
    "drf-throttled-unknown": drf.Throttled,
    "drf-other": lambda: drf.APIException("Odd."),
    "http404": lambda: Http404("No row matches the secret query."),
    "denied": lambda: django_errors.PermissionDenied("internal words"),
    "too-big": django_errors.RequestDataTooBig,
    "suspicious": django_errors.SuspiciousOperation,
    "hung-up": UnreadablePostError,
    "django-validation": lambda: django_errors.ValidationError("Bad UUID."),
    "data": lambda: DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
    "surrogate": lambda: UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    "away": lambda: OperationalError("connection refused"),
    "closed": lambda: InterfaceError("the connection is closed"),
    "pool": lambda: psycopg_pool.PoolTimeout("no connection after 3 s"),
    "defect": lambda: ZeroDivisionError("secret detail"),
}

urlpatterns: list[URLPattern] = [
    path("api/echo", Echo.as_view()),
    *[path(f"api/{name}", raising(make)) for name, make in FAILURES.items()],
    *[path(f"api/plain/{name}", plain(make)) for name, make in FAILURES.items()],
]
