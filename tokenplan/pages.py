"""The pages that belong to no floor: the front page, the API's, and what is shown when something fails."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.urls import reverse
from django.utils.translation import gettext, override
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from billing.selectors.offers import offers
from teams.models import User
from teams.permissions import NAMED
from tokenplan.kit import problems
from tokenplan.kit.pages import RightNeeded, right_of
from tokenplan.middleware import CONTENT_SECURITY_POLICY

# How the names of Django's pages that show rows end.
SHOWN = ("_changelist", "_change", "_history")


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


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, with why, and whom to ask or where it is put right."""
    said = str(exception)
    if not said and request.path.startswith(reverse("admin:index")):
        said = _whom_operators_ask(request, exception)
    context = {"exception": said, "leads_to": getattr(exception, "leads_to", ())}
    return render(request, "403.html", context, status=403)


def _whom_operators_ask(request: HttpRequest, exception: Exception) -> str:
    """For an operator: the right that is needed, by the name that superusers give it by, who they are, and
    which groups have it.
    """
    if getattr(request.user, "is_superuser", False):
        return gettext("Nobody does this by hand, not even a superuser.")
    superusers = User.objects.filter(is_superuser=True, is_active=True).order_by("pk")[:NAMED]
    names = gettext(" or ").join(user.display_name for user in superusers) or gettext("a superuser")
    permission = _permission_needed(request, exception)
    if permission is None:
        return gettext("Only superusers do this, if anybody. Ask %(names)s.") % {"names": names}
    values = {"right": permission.name, "names": names}
    groups = list(permission.group_set.order_by("name").values_list("name", flat=True)[:NAMED])
    if not groups:
        return gettext("You need the right “%(right)s” for this. Ask %(names)s for it.") % values
    text = gettext(
        "You need the right “%(right)s” for this, which the group %(groups)s has. "
        "Ask %(names)s to put you into it."
    )
    return text % {**values, "groups": gettext(" or ").join(groups)}


def _permission_needed(request: HttpRequest, exception: Exception) -> Permission | None:
    """The one that our page has named, or that one of Django's own asks for where it only shows rows."""
    match = request.resolver_match
    page = getattr(match.func, "model_admin", None) if match else None
    if isinstance(exception, RightNeeded):
        right = exception.right
    elif page and request.method == "GET" and match and str(match.url_name).endswith(SHOWN):
        right = right_of(page.model, "view")
    else:
        return None
    label, codename = right.split(".")
    return Permission.objects.filter(content_type__app_label=label, codename=codename).first()


def sign_in_of_operators(request: HttpRequest, **_: Any) -> HttpResponse:
    """The operators' pages have no sign-in of their own: everyone's has limits, and Django's has none."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
    if not request.user.is_staff:  # who the operators are is not said to just anybody
        raise PermissionDenied(
            gettext(
                "These pages are for the operators of this console. About your Team, ask its Owner. "
                "If your work is to operate it, ask whoever runs it to make you an operator."
            )
        )
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
