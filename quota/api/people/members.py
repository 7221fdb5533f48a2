"""/teams/{slug}/members: who is in the Team, with seat, key and Credits; roles; removing."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.fields import CreditsField, PlanSerializer
from quota.api.people.credits import AccessSerializer
from quota.selectors.roster import rows_of
from teams.api.key_serializers import KeySerializer
from teams.api.serializers import (
    MANAGES_BILLING,
    MemberChangeSerializer,
    MemberSerializer,
    PersonSerializer,
)
from teams.api.views import TeamView
from teams.errors import OwnerMustTransferFirst
from teams.models import Membership
from teams.permissions import Right, member_of
from teams.services.memberships import change_member, end_membership
from teams.tasks import deliver_mail
from tokenplan.kit.api import Shape, checked_change
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import OldestFirst


class RosterSerializer(Shape):
    """A member with seat, key and access to Credits; `id` is the membership's."""

    id = serializers.IntegerField(source="membership.pk")
    user = PersonSerializer(source="membership.user")
    role = serializers.CharField(source="membership.role")
    manages_billing = serializers.BooleanField(source="membership.manages_billing", help_text=MANAGES_BILLING)
    joined_at = serializers.DateTimeField(source="membership.joined_at")
    seat = serializers.IntegerField(source="seat_id", allow_null=True)
    plan = PlanSerializer(allow_null=True)
    key = KeySerializer(allow_null=True)
    credits = AccessSerializer(source="access")
    month_used = CreditsField(help_text="Credits used in this calendar month, UTC.")


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
        return self.page_built(rows, lambda page: RosterSerializer(rows_of(page, now), many=True).data)


class MemberDetail(TeamView):
    right: ClassVar[dict[str, Right]] = {
        "GET": Right.VIEW_MEMBERS,
        "PATCH": Right.CHANGE_ROLE,
        "DELETE": Right.REMOVE_MEMBER,
    }

    @extend_schema(
        operation_id="member",
        responses={200: RosterSerializer, **refusals(NotFound)},
        summary="A member",
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        row = rows_of([member_of(self.team, pk)], timezone.now())[0]
        return Response(RosterSerializer(row).data)

    @extend_schema(
        request=MemberChangeSerializer,
        responses=MemberSerializer,
        summary="Change a member's role, give or take the Billing right",
    )
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        member = member_of(self.team, pk)
        body = checked_change(MemberChangeSerializer, request)
        member = change_member(
            membership=member,
            role=body.get("role"),
            manages_billing=body.get("manages_billing"),
            by=self.person,
            at=timezone.now(),
        )
        enqueue(deliver_mail)
        return Response(MemberSerializer(member).data)

    @extend_schema(
        responses={204: None, **refusals(NotFound, OwnerMustTransferFirst)},
        summary="Remove a member",
        description="The key dies at once and the seat is free; history stays.",
    )
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        end_membership(membership=member_of(self.team, pk), by=self.person, at=timezone.now())
        enqueue(deliver_mail)
        return Response(status=204)
