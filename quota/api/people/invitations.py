"""/invitations/accept: joining a Team, with what the invitation promised."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from quota.services.invitations import join
from teams.api.serializers import InvitationTokenSerializer, TeamSerializer
from teams.api.views import PersonView
from teams.errors import AlreadyMember, InvitationForAnotherAddress, InvitationNotUsable
from teams.tasks import deliver_mail
from tokenplan.kit.api import checked
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.openapi import refusals


class AcceptInvitation(PersonView):
    @extend_schema(
        request=InvitationTokenSerializer,
        responses={
            201: TeamSerializer,
            **refusals(InvitationNotUsable, InvitationForAnotherAddress, AlreadyMember),
        },
        summary="Join a Team by an invitation",
        description="The invited address must be one of yours, verified. A seat and Credits that the "
        "invitation promised are yours at once; where no such seat is free, or who promised it may no "
        "longer give it, a request is made.",
    )
    def post(self, request: Request) -> Response:
        body = checked(InvitationTokenSerializer, request)
        joined = join(token=body["token"], by=self.person, at=timezone.now())
        enqueue(deliver_mail)
        return Response(TeamSerializer(joined.membership).data, status=201)
