"""/teams/{slug}/invitations: invite, send again, revoke."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from teams.api.serializers import (
    InvitationSerializer,
    NewInvitationSerializer,
)
from teams.api.views import TeamView
from teams.errors import TooManyInvitations
from teams.models import Invitation
from teams.permissions import Right, with_inviters
from teams.services import invitations
from teams.tasks import deliver_mail
from tokenplan.kit.api import checked
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import Cursor


class LatestMade(Cursor):
    ordering = ("-created_at", "-id")


class InvitationView(TeamView):
    right = Right.INVITE

    def invitation(self, pk: UUID) -> Invitation:
        found = Invitation.objects.for_team(self.team).filter(pk=pk).first()
        if found is None:
            raise NotFound(_("This invitation does not exist."))
        return found


class InvitationList(InvitationView):
    pagination_class = LatestMade

    @extend_schema(responses=InvitationSerializer(many=True), summary="The Team's invitations, newest first")
    def get(self, request: Request, slug: str) -> Response:
        rows = with_inviters(Invitation.objects.for_team(self.team)).select_related("invited_by")
        return self.page(rows, InvitationSerializer)

    @extend_schema(
        request=NewInvitationSerializer,
        responses={201: InvitationSerializer, **refusals(TooManyInvitations)},
        summary="Invite an e-mail address",
        description="Owner and Admins invite Members; the Owner alone invites an Admin.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(NewInvitationSerializer, request)
        now = timezone.now()
        invitation = invitations.invite(team=self.team, by=self.person, at=now, **body)
        enqueue(deliver_mail)
        return Response(InvitationSerializer(invitation, context={"now": now}).data, status=201)


class InvitationDetail(InvitationView):
    @extend_schema(responses={204: None}, summary="Revoke an invitation")
    def delete(self, request: Request, slug: str, pk: UUID) -> Response:
        invitations.revoke(invitation=self.invitation(pk), by=self.person, at=timezone.now())
        return Response(status=204)


class InvitationResend(InvitationView):
    @extend_schema(
        request=None,
        responses={200: InvitationSerializer, **refusals(TooManyInvitations)},
        summary="Send an invitation again",
        description="With a new link, good for 7 days; the one sent before stops working. Whoever "
        "sends it is who invites from then on.",
    )
    def post(self, request: Request, slug: str, pk: UUID) -> Response:
        now = timezone.now()
        invitation = invitations.resend(invitation=self.invitation(pk), by=self.person, at=now)
        enqueue(deliver_mail)
        return Response(InvitationSerializer(invitation, context={"now": now}).data)
