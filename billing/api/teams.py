"""A Team as `teams` shows it, and its deletion, which is refused while it pays."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.workflows.teams import delete_team
from quota.api.schema import refusals
from teams.api import teams as ground
from teams.errors import DefaultTeamIsPersonal, TeamHasLiveSeats
from teams.permissions import Right


class TeamDetail(ground.TeamDetail):
    right: ClassVar[dict[str, Right]] = {**ground.TeamDetail.right, "DELETE": Right.DELETE_TEAM}

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
            ),
        },
        summary="Delete a Team",
        description="For everyone, with every key in it. Refused while it has seats, or pays.",
    )
    def delete(self, request: Request, slug: str) -> Response:
        delete_team(team=self.team, by=self.person, at=timezone.now())
        return Response(status=204)
