"""Who asks, where no person does: an API gateway, or the holder of a Subscription Key."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from quota.models import Gateway
from quota.services.gateways import recognise_gateway
from teams.errors import KeyInvalid
from teams.models import SubscriptionKey
from teams.services.keys import recognise_key
from tokenplan.kit.parsers import bearer


class GatewayAuthentication(BaseAuthentication):
    """`Authorization: Bearer gw-…`; the Gateway becomes `request.auth`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Gateway]:
        text = bearer(request)
        if text is None:
            raise NotAuthenticated("Send the gateway's credential: Authorization: Bearer gw-…")
        gateway = recognise_gateway(text)
        if gateway is None:
            raise AuthenticationFailed("This gateway credential is unknown or revoked.")
        return AnonymousUser(), gateway

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="gateway"'


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer sk-cp-…`; the SubscriptionKey becomes `request.auth`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, SubscriptionKey]:
        text = bearer(request)
        if text is None:
            raise NotAuthenticated("Send a Subscription Key: Authorization: Bearer sk-cp-…")
        key = recognise_key(text, at=timezone.now())
        if key is None:
            raise KeyInvalid
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="usage"'
