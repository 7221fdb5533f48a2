"""/teams: the person's Teams, a Team's name and Owner, its members' roles, its audit log.

The floor above extends these classes where its verbs share an address: it creates and deletes Teams,
removes members.
"""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from teams.api.pagination import Cursor
from teams.api.serializers import (
    AuditEntrySerializer,
    MemberSerializer,
    RoleChangeSerializer,
    TeamNameSerializer,
    TeamSerializer,
    TransferSerializer,
)
from teams.api.views import PersonView, TeamView, checked
from teams.errors import NotFound
from teams.models import AuditEntry, Membership
from teams.permissions import Right
from teams.ring import ring
from teams.services import memberships
from teams.services import teams as team_service
from teams.tasks import deliver_mail


class NewestFirst(Cursor):
    ordering = ("-at", "-id")


class TeamList(PersonView):
    @extend_schema(responses=TeamSerializer(many=True), summary="Your Teams")
    def get(self, request: Request) -> Response:
        return self.page(
            Membership.objects.live().filter(user=self.person).select_related("team"), TeamSerializer
        )


class TeamDetail(TeamView):
    right: ClassVar[dict[str, Right]] = {"GET": Right.VIEW_TEAM, "PATCH": Right.RENAME}

    @extend_schema(responses=TeamSerializer, summary="A Team of yours")
    def get(self, request: Request, slug: str) -> Response:
        return Response(TeamSerializer(self.membership).data)

    @extend_schema(request=TeamNameSerializer, responses=TeamSerializer, summary="Rename a Team")
    def patch(self, request: Request, slug: str) -> Response:
        body = checked(TeamNameSerializer, request)
        self.membership.team = team_service.rename(
            team=self.team, name=body["name"], by=self.person, at=timezone.now()
        )
        return Response(TeamSerializer(self.membership).data)


class Transfer(TeamView):
    right = Right.TRANSFER

    @extend_schema(
        request=TransferSerializer,
        responses=MemberSerializer,
        summary="Transfer ownership",
        description="Answers with the new Owner. The Owner until now becomes an Admin.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(TransferSerializer, request)
        owner = team_service.transfer_ownership(
            team=self.team,
            to=member_of(self, body["member"], pointer="/member"),
            by=self.person,
            at=timezone.now(),
        )
        ring(deliver_mail)
        return Response(MemberSerializer(owner).data)


class MemberDetail(TeamView):
    right: ClassVar[dict[str, Right]] = {"PATCH": Right.CHANGE_ROLE}

    @extend_schema(request=RoleChangeSerializer, responses=MemberSerializer, summary="Change a member's role")
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        member = member_of(self, pk)
        body = checked(RoleChangeSerializer, request)
        member = memberships.change_role(
            membership=member, role=body["role"], by=self.person, at=timezone.now()
        )
        ring(deliver_mail)
        return Response(MemberSerializer(member).data)


class Audit(TeamView):
    right = Right.VIEW_AUDIT
    pagination_class = NewestFirst

    @extend_schema(responses=AuditEntrySerializer(many=True), summary="The Team's audit log, newest first")
    def get(self, request: Request, slug: str) -> Response:
        return self.page(AuditEntry.objects.for_team(self.team).select_related("by"), AuditEntrySerializer)


def member_of(view: TeamView, pk: int, *, pointer: str | None = None) -> Membership:
    """The live membership with this id in the view's Team; NotFound for any other."""
    member = view.team.memberships.live().filter(pk=pk).select_related("team", "user").first()
    if member is None:
        raise NotFound("This person is not a member of the Team.", pointer=pointer)
    return member
