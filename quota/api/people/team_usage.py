"""Usage for people: one's own bar in every Team, and a Team's usage and receipts.

A member sees their own usage with `?member=me`; to see everyone's takes a right.
"""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.receipts import LatestCallFirst, ReceiptSerializer, receipt_json
from quota.api.usage_bar import UsageSerializer, usage_bar_json
from quota.api.usage_series import SPAN_PARAMETERS, SeriesSerializer, Span, series_json, span_of
from quota.models import UsageEvent
from quota.selectors.usage_bar import usage_bar, usage_bars
from quota.selectors.usage_series import Group
from teams.api.views import PersonView, TeamView
from teams.models import Membership, Team
from teams.permissions import Right, member_of, require
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import OldestFirst

GROUPS = (Group.MODEL, Group.MODALITY, Group.MEMBER, Group.TAG)
GROUP = OpenApiParameter("group", str, enum=["model", "modality", "member", "tag"])
MEMBER = OpenApiParameter(
    "member",
    str,
    description="A membership's id, or `me`. Without it the whole Team, for those who may see that.",
)


class MyUsage(PersonView):
    pagination_class = OldestFirst

    @extend_schema(
        operation_id="my_usage",
        responses={200: UsageSerializer(many=True)},
        summary="Your usage bar in each of your Teams",
    )
    def get(self, request: Request) -> Response:
        now = timezone.now()
        mine = Membership.objects.live().filter(user=self.person).select_related("team", "user")
        return self.page_built(mine, lambda page: [usage_bar_json(bar) for bar in usage_bars(page, now)])


class MemberUsage(TeamView):
    right = Right.VIEW_USAGE

    @extend_schema(
        operation_id="member_usage",
        responses={200: UsageSerializer, **refusals(NotFound)},
        summary="A member's usage bar",
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(usage_bar_json(usage_bar(member_of(self.team, pk), timezone.now())))


class UsageView(TeamView):
    right = Right.USE

    def whose(self) -> Team | Membership:
        """What `?member=` names, past members too; PermissionRefused, NotFound, InvalidValue."""
        text = self.request.query_params.get("member")
        if text == "me":
            return self.membership
        require(self.membership, Right.VIEW_USAGE)
        if not text:
            return self.team
        if not text.isascii() or not text.isdecimal() or len(text) > 18:
            raise InvalidValue(_("This is a membership's id, or me."), pointer="/member")
        member = Membership.objects.for_team(self.team).filter(pk=int(text)).first()
        if member is None:
            raise NotFound(_("This person was never a member of the Team."), pointer="/member")
        return member


class TeamUsage(UsageView):
    @extend_schema(
        operation_id="team_usage",
        parameters=[*SPAN_PARAMETERS, GROUP, MEMBER],
        responses={200: SeriesSerializer, **refusals(NotFound)},
        summary="Usage, added up",
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(series_json(self.whose(), self.span()))

    def span(self) -> Span:
        return span_of(self.request, GROUPS, timezone.now())


class TeamReceipts(UsageView):
    pagination_class = LatestCallFirst

    @extend_schema(
        operation_id="team_receipts",
        parameters=[MEMBER],
        responses={200: ReceiptSerializer(many=True), **refusals(NotFound)},
        summary="Receipts, the latest call first",
    )
    def get(self, request: Request, slug: str) -> Response:
        whose = self.whose()
        events = UsageEvent.objects.for_team(self.team)
        if isinstance(whose, Membership):
            events = events.filter(membership=whose)
        return self.page(events, ReceiptSerializer)


class TeamReceipt(TeamView):
    right = Right.USE

    @extend_schema(
        operation_id="team_receipt",
        responses={200: ReceiptSerializer, **refusals(NotFound)},
        summary="A receipt",
    )
    def get(self, request: Request, slug: str, pk: UUID) -> Response:
        event = UsageEvent.objects.for_team(self.team).filter(pk=pk).first()
        if event is None or event.membership_id != self.membership.pk:
            require(self.membership, Right.VIEW_USAGE)
        if event is None:
            raise NotFound(_("The Team has no such receipt."))
        return Response(receipt_json(event))
