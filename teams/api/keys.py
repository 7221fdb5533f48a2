"""/teams/{slug}/key: your own Subscription Key. The Team's managers see prefixes, and revoke."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from teams.api.key_serializers import (
    KeySerializer,
    OwnKeySerializer,
    RevealSerializer,
    RevokedSerializer,
    RotateSerializer,
    ShownKeySerializer,
)
from teams.api.views import TeamView
from teams.errors import ReauthenticationRequired
from teams.models import Membership, SubscriptionKey
from teams.permissions import Right, member_of
from teams.services.keys import reveal_key, revoke_keys, rotate_key
from tokenplan.kit.api import checked
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals


def own_key(membership: Membership) -> SubscriptionKey:
    return SubscriptionKey.objects.current().get(membership=membership)


def own_key_answer(membership: Membership, now: datetime) -> dict[str, Any]:
    replaced = SubscriptionKey.objects.filter(membership=membership, replaced_at__isnull=False).working(now)
    return {
        **KeySerializer(own_key(membership)).data,
        "replaced": KeySerializer(replaced.order_by("-pk"), many=True).data,
    }


class OwnKey(TeamView):
    right: ClassVar[dict[str, Right]] = {"GET": Right.USE, "DELETE": Right.USE}

    @extend_schema(operation_id="own_key", responses=OwnKeySerializer, summary="Your key, without its text")
    def get(self, request: Request, slug: str) -> Response:
        return Response(own_key_answer(self.membership, timezone.now()))

    @extend_schema(
        responses={200: RevokedSerializer},
        summary="Revoke your key",
        description="Every text of it stops working at once. Rotating gives a new one.",
    )
    def delete(self, request: Request, slug: str) -> Response:
        count = revoke_keys(membership=self.membership, by=self.person, at=timezone.now())
        return Response({"revoked": count})


class RevealKey(TeamView):
    right = Right.USE
    proof = frozenset({"POST"})

    def sent_password(self) -> str | None:
        password: str | None = checked(RevealSerializer, self.request).get("password")
        return password

    @extend_schema(
        request=RevealSerializer,
        responses={200: ShownKeySerializer, **refusals(ReauthenticationRequired, NotFound)},
        summary="Show the text of your key",
        description="For a signed-in person who sends the password, or confirmed it minutes ago; "
        "never for an access token.",
    )
    def post(self, request: Request, slug: str) -> Response:
        key = own_key(self.membership)
        if key.revoked_at is not None:
            raise NotFound(_("Your key was revoked; rotate it to get a new one."))
        return Response({"key": reveal_key(key)}, headers={"Cache-Control": "no-store"})


class RotateKey(TeamView):
    right = Right.USE
    proof = frozenset({"POST"})

    @extend_schema(
        request=RotateSerializer,
        responses={200: OwnKeySerializer, **refusals(ReauthenticationRequired)},
        summary="Get a new text for your key",
        description="Every earlier one stops working at once, or after the overlap if it has not ended "
        "before. Usage, quota and Credits stay. Needs a recent confirmation that it is you; an access token "
        "has none.",
    )
    def post(self, request: Request, slug: str) -> Response:
        overlap = timedelta(seconds=checked(RotateSerializer, request)["overlap_seconds"])
        now = timezone.now()
        rotate_key(membership=self.membership, overlap=overlap, at=now, by=self.person)
        return Response(own_key_answer(self.membership, now))


class MemberKey(TeamView):
    right: ClassVar[dict[str, Right]] = {"GET": Right.VIEW_KEYS, "DELETE": Right.REVOKE_KEY}

    @extend_schema(
        operation_id="member_key",
        responses={200: OwnKeySerializer, **refusals(NotFound)},
        summary="A member's key, without its text",
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(own_key_answer(member_of(self.team, pk), timezone.now()))

    @extend_schema(
        responses={200: RevokedSerializer, **refusals(NotFound)},
        summary="Revoke a member's key",
        description="The member can rotate it to get a new one; remove the member to keep them out.",
    )
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        count = revoke_keys(membership=member_of(self.team, pk), by=self.person, at=timezone.now())
        return Response({"revoked": count})
