"""/teams/{slug}: a Team, its name, and deleting it, which waits for what it pays."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.workflows.teams import delete_team
from teams.api.serializers import TeamNameSerializer, TeamSerializer
from teams.api.views import TeamView
from teams.errors import DefaultTeamIsPersonal, ReauthenticationRequired, TeamHasLiveSeats
from teams.permissions import Right
from teams.services.teams import rename_team
from tokenplan.kit.api import checked
from tokenplan.kit.openapi import refusals


class TeamDetail(TeamView):
    right: ClassVar[dict[str, Right]] = {
        "GET": Right.VIEW_TEAM,
        "PATCH": Right.RENAME,
        "DELETE": Right.DELETE_TEAM,
    }
    proof = frozenset({"DELETE"})

    @extend_schema(responses=TeamSerializer, summary="A Team of yours")
    def get(self, request: Request, slug: str) -> Response:
        return Response(TeamSerializer(self.membership).data)

    @extend_schema(request=TeamNameSerializer, responses=TeamSerializer, summary="Rename a Team")
    def patch(self, request: Request, slug: str) -> Response:
        body = checked(TeamNameSerializer, request)
        self.membership.team = rename_team(
            team=self.team, name=body["name"], by=self.person, at=timezone.now()
        )
        return Response(TeamSerializer(self.membership).data)

    @extend_schema(
        responses={
            204: None,
            **refusals(
                errors.TeamHasSubscription,
                errors.PaymentUnderWay,
                errors.ChangeInProgress,
                errors.PaymentsUnavailable,
                TeamHasLiveSeats,
                DefaultTeamIsPersonal,
                ReauthenticationRequired,
            ),
        },
        summary="Delete a Team",
        description="For everyone, with every key in it. Refused while it has seats, or pays. Needs a recent "
        "confirmation that it is you; an access token has none.",
    )
    def delete(self, request: Request, slug: str) -> Response:
        delete_team(team=self.team, by=self.person, at=timezone.now())
        return Response(status=204)
