"""/me/invite and /invites: one's own invite link, what it has brought, and coming by somebody else's."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.errors import (
    InviteForNewcomers,
    InviteFromATeam,
    InviteOneself,
    InvitesAfterPaying,
    InviteUnknown,
    InviteUsed,
)
from billing.selectors.invites import brought_by, link_of, url_of
from billing.services.invites import come_by_link, make_link
from quota.api.fields import NANOUSD
from teams.api.views import PersonView
from teams.models import User
from tokenplan.kit.api import Shape, checked
from tokenplan.kit.openapi import refusals


class OwnInviteSerializer(Shape):
    url = serializers.URLField(allow_null=True, help_text="Null: none was made, or it was blocked.")
    people = serializers.IntegerField(help_text="Who came by it.")
    vouchers = serializers.IntegerField()
    vouchers_nanousd = serializers.IntegerField(help_text=f"Less what was taken back of them. {NANOUSD}")


class InviteCodeSerializer(Shape):
    code = serializers.CharField(max_length=40, help_text="The last part of the link.")


class CameByLinkSerializer(Shape):
    came_at = serializers.DateTimeField()


class OwnInvite(PersonView):
    @extend_schema(
        operation_id="own_invite", responses={200: OwnInviteSerializer}, summary="Your invite link"
    )
    def get(self, request: Request) -> Response:
        return Response(_own_invite(self.person))

    @extend_schema(
        operation_id="own_invite_make",
        request=None,
        responses={200: OwnInviteSerializer, **refusals(InvitesAfterPaying, InviteUnknown)},
        summary="Make your invite link",
        description="There is one for each person: a second call answers the same.",
    )
    def post(self, request: Request) -> Response:
        checked(Shape, request)
        make_link(at=timezone.now(), by=self.person)
        return Response(_own_invite(self.person))


class AcceptInvite(PersonView):
    @extend_schema(
        operation_id="invite_accept",
        request=InviteCodeSerializer,
        responses={
            200: CameByLinkSerializer,
            **refusals(InviteUnknown, InviteOneself, InviteUsed, InviteFromATeam, InviteForNewcomers),
        },
        summary="Come by somebody's invite link",
        description="The discount is taken off when a Team of yours goes to pay for its first seats. By the "
        "same link again changes nothing.",
    )
    def post(self, request: Request) -> Response:
        body = checked(InviteCodeSerializer, request)
        came = come_by_link(code=body["code"], at=timezone.now(), by=self.person)
        return Response(CameByLinkSerializer(came).data)


def _own_invite(user: User) -> dict[str, object]:
    brought = brought_by(user)
    return {
        "url": url_of(link_of(user)),
        "people": brought.people,
        "vouchers": brought.vouchers,
        "vouchers_nanousd": brought.nanousd,
    }
