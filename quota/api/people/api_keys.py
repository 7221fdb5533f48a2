"""/teams/{slug}/api-keys: a Team's keys for pay-as-you-go. Each text is shown to who made it, and nobody
else.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.fields import LARGEST_ID, NANOUSD
from quota.selectors.api_keys import keys_for, state_of, states_of
from teams.api.key_serializers import (
    KeySerializer,
    RevealSerializer,
    RevokedSerializer,
    RotateSerializer,
    ShownKeySerializer,
)
from teams.api.serializers import MemberSerializer
from teams.api.views import TeamView
from teams.errors import ApiKeyTextHidden, ReauthenticationRequired
from teams.models import ApiKey
from teams.permissions import Right, api_key_of
from teams.services import api_keys as service
from teams.services.keys import reveal_key
from tokenplan.kit.api import Shape, checked
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import Cursor


class ChangeApiKeySerializer(Shape):
    name = serializers.CharField(max_length=100)
    month_cap_nanousd = serializers.IntegerField(
        min_value=0,
        max_value=LARGEST_ID,
        allow_null=True,
        default=None,
        help_text="What it may spend a calendar month (UTC); null: no cap.",
    )


class NewApiKeySerializer(ChangeApiKeySerializer):
    expires_at = serializers.DateTimeField(allow_null=True, default=None, help_text="Null: never.")


class ApiKeySerializer(Shape):
    """An API key without its text."""

    id = serializers.IntegerField(source="key.id")
    name = serializers.CharField(source="key.name")
    works = serializers.BooleanField(help_text="Whether one of its texts works now.")
    created_by = MemberSerializer(source="key.membership")
    created_at = serializers.DateTimeField(source="key.created_at")
    expires_at = serializers.DateTimeField(source="key.expires_at", allow_null=True)
    revoked_at = serializers.DateTimeField(source="key.revoked_at", allow_null=True)
    month_cap_nanousd = serializers.IntegerField(source="key.month_cap_nanousd", allow_null=True)
    month_used_nanousd = serializers.IntegerField(
        source="month_used", help_text=f"In this calendar month, UTC. {NANOUSD}"
    )
    text = KeySerializer(help_text="The current text.")
    text_made_by = MemberSerializer(source="text.membership", help_text="Who alone can see it.")
    replaced = KeySerializer(many=True, help_text="Earlier texts that still work.")


class ApiKeyPolicySerializer(Shape):
    members_make = serializers.BooleanField(help_text="Whether members may make API keys too.")


class NewestKey(Cursor):
    ordering = ("-created_at", "-id")


class ApiKeyView(TeamView):
    """For a key that the member sees; 404 for any other."""

    right = Right.MAKE_API_KEYS

    def key(self, pk: int) -> ApiKey:
        return api_key_of(self.membership, pk)

    def answer(self, key: ApiKey, status: int = 200) -> Response:
        return Response(ApiKeySerializer(state_of(key, timezone.now())).data, status=status)


class ApiKeys(ApiKeyView):
    pagination_class = NewestKey
    proof = frozenset({"POST"})

    @extend_schema(responses={200: ApiKeySerializer(many=True)}, summary="API keys, the newest first")
    def get(self, request: Request, slug: str) -> Response:
        now = timezone.now()
        return self.page_built(
            keys_for(self.membership), lambda keys: ApiKeySerializer(states_of(keys, now), many=True).data
        )

    @extend_schema(
        operation_id="api_key_create",
        request=NewApiKeySerializer,
        responses={201: ApiKeySerializer, **refusals(ReauthenticationRequired)},
        summary="Make an API key",
        description="Its text is shown by `…/reveal`. Needs a recent confirmation that it is you; an access "
        "token has none.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(NewApiKeySerializer, request)
        key = service.create_api_key(membership=self.membership, at=timezone.now(), by=self.person, **body)
        return self.answer(key, status=201)


class ApiKeyDetail(ApiKeyView):
    @extend_schema(
        operation_id="api_key", responses={200: ApiKeySerializer, **refusals(NotFound)}, summary="An API key"
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return self.answer(self.key(pk))

    @extend_schema(
        request=ChangeApiKeySerializer,
        responses={200: ApiKeySerializer, **refusals(NotFound)},
        summary="Rename an API key, or change its cap",
    )
    def put(self, request: Request, slug: str, pk: int) -> Response:
        key, body = self.key(pk), checked(ChangeApiKeySerializer, request)
        return self.answer(service.change_api_key(key=key, at=timezone.now(), by=self.person, **body))

    @extend_schema(
        responses={200: RevokedSerializer, **refusals(NotFound)},
        summary="Revoke an API key",
        description="Every text of it stops working at once, for good.",
    )
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        count = service.revoke_api_key(key=self.key(pk), at=timezone.now(), by=self.person)
        return Response({"revoked": count})


class RevealApiKey(ApiKeyView):
    proof = frozenset({"POST"})

    def sent_password(self) -> str | None:
        password: str | None = checked(RevealSerializer, self.request).get("password")
        return password

    @extend_schema(
        request=RevealSerializer,
        responses={200: ShownKeySerializer, **refusals(ReauthenticationRequired, NotFound, ApiKeyTextHidden)},
        summary="Show the text of an API key",
        description="To the member who made this text, and nobody else; as of `key/reveal`, never to an "
        "access token.",
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        key = self.key(pk)
        text = state_of(key, timezone.now()).text
        dead = key.revoked_at is not None or text.revoked_at is not None
        if dead or text.membership_id != self.membership.pk:
            raise ApiKeyTextHidden
        return Response({"key": reveal_key(text)}, headers={"Cache-Control": "no-store"})


class RotateApiKey(ApiKeyView):
    proof = frozenset({"POST"})

    @extend_schema(
        request=RotateSerializer,
        responses={200: ApiKeySerializer, **refusals(ReauthenticationRequired, NotFound)},
        summary="Get a new text for an API key",
        description="The new text is yours to see. Every earlier one stops working at once, or after the "
        "overlap if it has not ended before. Needs a recent confirmation that it is you.",
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        key = self.key(pk)
        overlap = timedelta(seconds=checked(RotateSerializer, request)["overlap_seconds"])
        service.rotate_api_key(
            key=key, membership=self.membership, overlap=overlap, at=timezone.now(), by=self.person
        )
        return self.answer(key)


class ApiKeyPolicy(TeamView):
    right: ClassVar[dict[str, Right]] = {"GET": Right.MAKE_API_KEYS, "PUT": Right.MANAGE_API_KEYS}

    @extend_schema(responses=ApiKeyPolicySerializer, summary="Who may make API keys")
    def get(self, request: Request, slug: str) -> Response:
        return Response(self._json(self.team.members_make_api_keys))

    @extend_schema(
        request=ApiKeyPolicySerializer,
        responses={200: ApiKeyPolicySerializer, **refusals()},
        summary="Let members make API keys, or not",
        description="The Owner and the Admins always may. Keys that members made before go on.",
    )
    def put(self, request: Request, slug: str) -> Response:
        body = checked(ApiKeyPolicySerializer, request)
        team = service.set_api_key_policy(
            team=self.team, members_make=body["members_make"], at=timezone.now(), by=self.person
        )
        return Response(self._json(team.members_make_api_keys))

    def _json(self, members_make: bool) -> dict[str, Any]:
        return {"members_make": members_make}
