"""Who asks: a personal access token, or the session of a signed-in person."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from teams.api.problems import CSRFFailed, ScopeTooNarrow
from teams.models import PersonalAccessToken, User
from teams.services import access_tokens


def bearer(request: Request) -> str | None:
    """The credential of `Authorization: Bearer …`; None when there is no such header."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None


class AccessTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer pat-…`. A wrong credential is refused even where a session would do."""

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        text = bearer(request)
        if text is None:
            return None
        recognised = access_tokens.recognise(text=text, at=timezone.now())
        if recognised is None:
            raise AuthenticationFailed("This access token is unknown, revoked or expired.")
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
