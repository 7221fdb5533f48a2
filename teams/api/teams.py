"""/teams: the person's Teams, creating one, leaving one, transferring one; a Team's audit log."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from teams.api.serializers import (
    AuditEntrySerializer,
    MemberSerializer,
    TeamNameSerializer,
    TeamSerializer,
    TransferSerializer,
)
from teams.api.views import PersonView, TeamView
from teams.errors import DefaultTeamIsPersonal, OwnerMustTransferFirst, ReauthenticationRequired
from teams.models import AuditEntry, Membership
from teams.permissions import Right, member_of
from teams.services.memberships import end_membership
from teams.services.teams import create_team, transfer_ownership
from teams.tasks import deliver_mail
from tokenplan.kit.api import checked
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import NewestFirst


class TeamList(PersonView):
    @extend_schema(responses=TeamSerializer(many=True), summary="Your Teams")
    def get(self, request: Request) -> Response:
        return self.page(
            Membership.objects.live().filter(user=self.person).select_related("team"), TeamSerializer
        )

    @extend_schema(
        request=TeamNameSerializer,
        responses={201: TeamSerializer, **refusals()},
        summary="Create a Team",
        description="You become its Owner, with a key in it.",
    )
    def post(self, request: Request) -> Response:
        body = checked(TeamNameSerializer, request)
        membership = create_team(name=body["name"], by=self.person, at=timezone.now())
        return Response(TeamSerializer(membership).data, status=201)


class Leave(TeamView):
    right = Right.USE

    @extend_schema(
        request=None,
        responses={204: None, **refusals(OwnerMustTransferFirst, DefaultTeamIsPersonal)},
        summary="Leave a Team",
    )
    def post(self, request: Request, slug: str) -> Response:
        end_membership(membership=self.membership, by=self.person, at=timezone.now())
        return Response(status=204)


class Transfer(TeamView):
    right = Right.TRANSFER
    proof = frozenset({"POST"})

    @extend_schema(
        request=TransferSerializer,
        responses={200: MemberSerializer, **refusals(ReauthenticationRequired)},
        summary="Transfer ownership",
        description="Needs a recent confirmation that it is you; an access token has none. "
        "Answers with the new Owner. The Owner until now becomes an Admin.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(TransferSerializer, request)
        owner = transfer_ownership(
            team=self.team,
            to=member_of(self.team, body["member"], pointer="/member"),
            by=self.person,
            at=timezone.now(),
        )
        enqueue(deliver_mail)
        return Response(MemberSerializer(owner).data)


class Audit(TeamView):
    right = Right.VIEW_AUDIT
    pagination_class = NewestFirst

    @extend_schema(responses=AuditEntrySerializer(many=True), summary="The Team's audit log, newest first")
    def get(self, request: Request, slug: str) -> Response:
        return self.page(AuditEntry.objects.for_team(self.team).select_related("by"), AuditEntrySerializer)
