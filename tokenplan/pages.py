"""The pages that belong to no floor: the front page, the API's, and what is shown when something fails."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.urls import reverse
from django.utils.translation import override
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from billing.selectors.offers import offers
from tokenplan.kit import problems
from tokenplan.middleware import CONTENT_SECURITY_POLICY


def home(request: HttpRequest) -> HttpResponse:
    """Leads whoever is signed in to their account page; tells everyone else what Token Plan is."""
    if request.user.is_authenticated:
        return redirect("account")
    return render(request, "pages/landing.html", {"offers": offers()})


def server_error(request: HttpRequest) -> HttpResponse:
    """503 with Retry-After when the database or the broker does not answer; 500 for any other exception.

    Django calls it while the exception is being handled, and has logged it. Neither page asks the database.
    """
    if request.path.startswith("/api/"):
        return problems.server_error(request)
    away = isinstance(sys.exc_info()[1], problems.UNAVAILABLE)
    status, template = (503, "503.html") if away else (500, "500.html")
    headers = {"Retry-After": str(problems.RETRY_UNAVAILABLE_SECONDS)} if away else None
    return HttpResponse(loader.get_template(template).render(), status=status, headers=headers)


def sign_in_of_operators(request: HttpRequest, **_: Any) -> HttpResponse:
    """The operators' pages have no sign-in of their own: everyone's has limits, and Django's has none."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
    if not request.user.is_staff:
        raise PermissionDenied
    return redirect("admin:index")


def password_of_operators(request: HttpRequest, **_: Any) -> HttpResponse:
    """Nor have they a form of their own for a new password."""
    return redirect("account_change_password")


class Schema(SpectacularAPIView):
    """The OpenAPI document, in the default language whoever asks: programs are written from it."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with override(settings.LANGUAGE_CODE):
            response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
            return response


class ApiDocs(SpectacularSwaggerSplitView):
    """Swagger UI, served from this host. It writes style attributes, which no other page may have."""

    @extend_schema(exclude=True)  # a page, no part of the API
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response.headers["Content-Security-Policy"] = (
            f"{CONTENT_SECURITY_POLICY}; form-action 'self'; style-src 'self' 'unsafe-inline'"
        )
        return response
