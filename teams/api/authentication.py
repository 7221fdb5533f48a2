"""Authentication of people: by a personal access token, or by the session of a browser."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from teams.models import PersonalAccessToken, User
from teams.services import access_tokens
from tokenplan.kit.parsers import bearer
from tokenplan.kit.problems import CSRFFailed, ScopeTooNarrow


class AccessTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer pat-…`. A wrong credential is refused even where a session would do."""

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        text = bearer(request)
        if text is None:
            return None
        recognised = access_tokens.recognise(text=text, at=timezone.now())
        if recognised is None:
            raise AuthenticationFailed(_("This access token is unknown, revoked or expired."))
        user, scope = recognised
        if scope == PersonalAccessToken.Scope.READ and request.method not in SAFE_METHODS:
            raise ScopeTooNarrow
        return user, scope

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class BrowserSession(SessionAuthentication):
    """The session cookie, with Django's CSRF check on everything that writes."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise CSRFFailed(error.detail) from error


class AccessTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "teams.api.authentication.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A personal access token, `pat-…`. One with the scope read may only GET.",
        }


class BrowserSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "teams.api.authentication.BrowserSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "A signed-in browser. What writes needs the X-CSRFToken header too.",
        }
