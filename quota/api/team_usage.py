"""Usage for people: the own bar in every Team, and a Team's usage, receipts and CSV.

A member sees the own usage with `?member=me`; everyone's takes the right to see it.
"""

from __future__ import annotations

from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from quota.api.serializers import ReceiptSerializer, UsageSerializer
from quota.api.series import (
    SPAN_PARAMETERS,
    SeriesSerializer,
    Span,
    csv_lines,
    series_answer,
    span_of,
)
from quota.api.shapes import receipt_answer, usage_answer
from quota.api.usage import LatestFirst
from quota.models import UsageEvent
from quota.selectors.bar import usage_bar
from quota.selectors.reports import Group, UsageRow, usage_by
from teams.api.views import PersonView, TeamView
from teams.models import Membership, Team
from teams.permissions import Right, member_of, require
from tokenplan.kit.api import JSONAlone
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.openapi import refusals
from tokenplan.kit.paging import OldestFirst

GROUPS = (Group.MODEL, Group.MODALITY, Group.MEMBER)
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
        return self.page_built(mine, lambda page: [usage_answer(usage_bar(own, now)) for own in page])


class MemberUsage(TeamView):
    right = Right.VIEW_USAGE

    @extend_schema(
        operation_id="member_usage",
        responses={200: UsageSerializer, **refusals(NotFound)},
        summary="A member's usage bar",
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(usage_answer(usage_bar(member_of(self.team, pk), timezone.now())))


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
            raise InvalidValue("This is a membership's id, or me.", pointer="/member")
        member = Membership.objects.for_team(self.team).filter(pk=int(text)).first()
        if member is None:
            raise NotFound("This person was never a member of the Team.", pointer="/member")
        return member


class TeamUsage(UsageView):
    @extend_schema(
        operation_id="team_usage",
        parameters=[
            *SPAN_PARAMETERS,
            OpenApiParameter("group", str, enum=["model", "modality", "member"]),
            MEMBER,
        ],
        responses={200: SeriesSerializer, **refusals(NotFound)},
        summary="Usage, added up",
    )
    def get(self, request: Request, slug: str) -> Response:
        span, rows = self.rows()
        return Response(series_answer(span, rows))

    def rows(self) -> tuple[Span, list[UsageRow]]:
        span = span_of(self.request, GROUPS, timezone.now())
        return span, usage_by(self.whose(), span.start, span.end, *span.groups)


class TeamUsageCSV(TeamUsage):
    content_negotiation_class = JSONAlone

    @extend_schema(
        operation_id="team_usage_csv",
        parameters=[
            *SPAN_PARAMETERS,
            OpenApiParameter("group", str, enum=["model", "modality", "member"]),
            MEMBER,
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR, **refusals(NotFound)},
        summary="Usage, added up, as CSV",
        description="Money is whole nano-dollars. Text that a spreadsheet would run is quoted.",
    )
    def get(self, request: Request, slug: str) -> StreamingHttpResponse:  # type: ignore[override]
        span, rows = self.rows()
        name = f"usage-{self.team.slug}-{span.start:%Y-%m-%d}-{span.end:%Y-%m-%d}.csv"
        return StreamingHttpResponse(
            csv_lines(span, rows),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


class TeamReceipts(UsageView):
    pagination_class = LatestFirst

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
            raise NotFound("The Team has no such receipt.")
        return Response(receipt_answer(event))
