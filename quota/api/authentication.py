"""Who asks, where no person does: an API gateway, or the holder of a Subscription Key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from quota.hot_path.credentials import recognise_gateway
from quota.models import Gateway
from teams.errors import KeyInvalid
from teams.keytext import API_KEY, kind_of
from teams.models import ApiKeyText, SubscriptionKey
from teams.services.api_keys import recognise_api_key
from teams.services.keys import recognise_key
from tokenplan.kit.parsers import bearer


def credential_refused() -> AuthenticationFailed:
    """For a credential that is unknown, or has ended, be it while its request waited."""
    return AuthenticationFailed(_("This gateway credential is unknown or works no more."))


class GatewayAuthentication(BaseAuthentication):
    """`Authorization: Bearer gw-…`; the Gateway becomes `request.auth`. The credential must work `at` this
    moment, UTC; None: by the database's clock.
    """

    def __init__(self, at: datetime | None = None) -> None:
        self._at = at

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Gateway]:
        text = bearer(request)
        if text is None:
            raise NotAuthenticated(_("Send the gateway's credential: Authorization: Bearer gw-…"))
        gateway = recognise_gateway(text=text, at=self._at)
        if gateway is None:
            raise credential_refused()
        return AnonymousUser(), gateway

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="gateway"'


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sk-cp-…`; the SubscriptionKey becomes `request.auth`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, SubscriptionKey]:
        text = bearer(request)
        if text is None:
            raise NotAuthenticated(_("Send a Subscription Key: Authorization: Bearer sk-cp-…"))
        key = recognise_key(text=text, at=timezone.now())
        if key is None:
            raise KeyInvalid
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="usage"'


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sk-api-…`; the API key's text becomes `request.auth`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKeyText]:
        text = bearer(request)
        if text is None:
            raise NotAuthenticated(_("Send an API key: Authorization: Bearer sk-api-…"))
        key = recognise_api_key(text=text, at=timezone.now())
        if key is None:
            raise KeyInvalid
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="balance"'


class EitherKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sk-…`, of either kind; the SubscriptionKey, or the API key's text, becomes
    `request.auth`.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, SubscriptionKey | ApiKeyText]:
        text = bearer(request)
        if text is None:
            raise NotAuthenticated(_("Send a key: Authorization: Bearer sk-…"))
        of_kind = ApiKeyAuthentication if kind_of(text) is API_KEY else KeyAuthentication
        return of_kind().authenticate(request)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="usage"'


# The OpenAPI library finds the four below as its subclasses, and describes by them how a view signs in.
class GatewayScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = GatewayAuthentication
    name = "gateway"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A gateway's credential, `gw-…`, made by an operator.",
        }


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = KeyAuthentication
    name = "subscriptionKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A Subscription Key, `sk-cp-…`."}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key, `sk-api-…`."}


class EitherKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = EitherKeyAuthentication
    name = "eitherKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        either = "A Subscription Key, `sk-cp-…`, or an API key, `sk-api-…`."
        return {"type": "http", "scheme": "bearer", "description": either}
