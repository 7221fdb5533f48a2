"""/invitations/accept: joining a Team, with what the invitation promised."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota.services.invitations import Joined, join
from teams.api.serializers import InvitationTokenSerializer, PromiseSerializer, TeamSerializer, promised
from teams.api.views import PersonView
from teams.errors import (
    AlreadyMember,
    InvitationForAnotherAddress,
    InvitationNotUsable,
    InviterMayNotInvite,
)
from teams.tasks import deliver_mail
from tokenplan.kit.api import checked
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.openapi import refusals


class PromiseKept(PromiseSerializer):
    """What the invitation promised, and what came of it. `…_requested`: a request for it waits; what neither
    came nor waits could not be asked for.
    """

    seat = serializers.IntegerField(allow_null=True, help_text="The id of the seat that was given.")
    seat_requested = serializers.BooleanField()
    credits_given = serializers.BooleanField()
    credits_requested = serializers.BooleanField()


class JoinedSerializer(TeamSerializer):
    promise = PromiseKept(allow_null=True)


class AcceptInvitation(PersonView):
    @extend_schema(
        request=InvitationTokenSerializer,
        responses={
            201: JoinedSerializer,
            **refusals(InvitationNotUsable, InviterMayNotInvite, InvitationForAnotherAddress, AlreadyMember),
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
        return Response({**TeamSerializer(joined.membership).data, "promise": _kept(joined)}, status=201)


def _kept(joined: Joined) -> dict[str, Any] | None:
    promise = promised(joined.promise)
    if promise is None:
        return None
    return {
        **promise,
        "seat": joined.seat.pk if joined.seat else None,
        "seat_requested": joined.waits,
        "credits_given": joined.has_credits,
        "credits_requested": joined.credits_wait,
    }
