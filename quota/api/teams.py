"""Teams and memberships where a key is made or dies with them: create, join, leave, remove."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.pages import page_of
from quota.api.schema import refusals
from quota.api.team_serializers import RosterSerializer, TokenSerializer
from quota.selectors.roster import rows_of
from quota.services import members
from teams import errors
from teams.api import teams as ground
from teams.api.pagination import Cursor
from teams.api.serializers import TeamNameSerializer, TeamSerializer
from teams.api.views import PersonView, TeamView, checked
from teams.models import Membership
from teams.permissions import Right
from teams.ring import ring
from teams.tasks import deliver_mail


class TeamList(ground.TeamList):
    @extend_schema(
        request=TeamNameSerializer,
        responses={201: TeamSerializer, **refusals()},
        summary="Create a Team",
        description="You become its Owner, with a key in it.",
    )
    def post(self, request: Request) -> Response:
        body = checked(TeamNameSerializer, request)
        membership = members.create_team(name=body["name"], by=self.person, at=timezone.now())
        return Response(TeamSerializer(membership).data, status=201)


class OldestFirst(Cursor):
    """In the order in which they came."""

    ordering = ("id",)


class MemberList(TeamView):
    right = Right.VIEW_MEMBERS
    pagination_class = OldestFirst

    @extend_schema(
        operation_id="members",
        responses={200: RosterSerializer(many=True)},
        summary="Members, with seat, key and access to Credits",
    )
    def get(self, request: Request, slug: str) -> Response:
        now = timezone.now()
        rows = Membership.objects.for_team(self.team).live().select_related("team", "user")
        return page_of(self, rows, lambda page: RosterSerializer(rows_of(page, now), many=True).data)


class MemberDetail(ground.MemberDetail):
    right: ClassVar[dict[str, Right]] = {
        **ground.MemberDetail.right,
        "GET": Right.VIEW_MEMBERS,
        "DELETE": Right.REMOVE_MEMBER,
    }

    @extend_schema(
        operation_id="member",
        responses={200: RosterSerializer, **refusals(errors.NotFound)},
        summary="A member",
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        row = rows_of([ground.member_of(self, pk)], timezone.now())[0]
        return Response(RosterSerializer(row).data)

    @extend_schema(
        responses={204: None, **refusals(errors.NotFound, errors.OwnerMustTransferFirst)},
        summary="Remove a member",
        description="The key dies at once and the seat is free; history stays.",
    )
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        membership = ground.member_of(self, pk)
        members.end_membership(membership=membership, by=self.person, at=timezone.now())
        ring(deliver_mail)
        return Response(status=204)


class Leave(TeamView):
    right = Right.USE

    @extend_schema(
        request=None,
        responses={204: None, **refusals(errors.OwnerMustTransferFirst, errors.DefaultTeamIsPersonal)},
        summary="Leave a Team",
    )
    def post(self, request: Request, slug: str) -> Response:
        members.end_membership(membership=self.membership, by=self.person, at=timezone.now())
        return Response(status=204)


class AcceptInvitation(PersonView):
    @extend_schema(
        request=TokenSerializer,
        responses={
            201: TeamSerializer,
            **refusals(errors.InvitationNotUsable, errors.InvitationForAnotherAddress, errors.AlreadyMember),
        },
        summary="Join a Team by an invitation",
        description="The invited address must be one of yours, verified.",
    )
    def post(self, request: Request) -> Response:
        body = checked(TokenSerializer, request)
        membership = members.accept_invitation(token=body["token"], by=self.person, at=timezone.now())
        return Response(TeamSerializer(membership).data, status=201)
